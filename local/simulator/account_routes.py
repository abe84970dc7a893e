"""The endpoints of connected accounts and auth configs."""

from collections import Counter
from functools import partial
from operator import attrgetter

from local.simulator import accounts, wire
from local.simulator.accounts import Account, AuthConfig, Status
from local.simulator.bodies import AccountBody, CompleteAuthBody, EnabledBody, LinkBody
from local.simulator.call import Call, Routes
from local.simulator.clock import iso
from local.simulator.connections import Filter
from local.simulator.pages import cursor_page
from local.simulator.project import Project
from local.simulator.refusal import invalid

ROUTES = Routes()

# Composio does not publish its largest page of accounts.
_ACCOUNT_PAGE = 50
# Changelog of 2026-09-21.
_AUTH_CONFIG_PAGE = 200


@ROUTES.on("GET", "/connected_accounts")
def list_accounts(call: Call) -> object:
    """Filtered, ordered, page by page, PRIVATE unless asked."""
    order = call.choice("order_by", "created_at", "updated_at")
    wanted = Filter(
        users=call.values("user_ids"),
        statuses=call.values("statuses", set(Status)),
        auth_configs=call.values("auth_config_ids"),
        ids=call.values("connected_account_ids"),
        toolkits=call.values("toolkit_slugs"),
        account_type=call.choice("account_type", "PRIVATE", "SHARED", "ALL"),
    )
    rows = sorted(
        call.project.connections.select(wanted),
        key=attrgetter(order, "id"),
        reverse=call.choice("order_direction", "desc", "asc") == "desc",
    )
    limit = call.number("limit", 10, _ACCOUNT_PAGE)
    render = partial(call.project.shape_account, full=False)
    return cursor_page(rows, limit=limit, cursor=call.query.get("cursor"), render=render)


@ROUTES.on("GET", "/connected_accounts/{id}")
def get_account(call: Call) -> object:
    """Return one account."""
    return call.project.shape_account(call.project.connections.get(call.path("id")))


@ROUTES.on("POST", "/connected_accounts/link", status=201)
def create_link(call: Call) -> object:
    """Begin a connection: the account id is known before the consent."""
    body, project = call.read(LinkBody), call.project
    link = project.connections.link(
        body.user_id,
        body.auth_config_id,
        body.callback_url,
        alias=body.alias,
        connection_data=body.connection_data,
        account_type=body.experimental.account_type,
    )
    return {
        "link_token": link.token,
        "redirect_url": project.link_url(link.token),
        "expires_at": iso(link.expires_at),
        "connected_account_id": link.account_id,
        "experimental": {"account_type": body.experimental.account_type},
    }


@ROUTES.on("POST", "/connected_accounts/complete_auth")
def complete_auth(call: Call) -> object:
    """Finish a connection under callback identity verification."""
    body, project = call.read(CompleteAuthBody), call.project
    account = project.connections.complete(body.session_uri, body.user_id)
    if account.status is not Status.ACTIVE:
        raise invalid("The connection was initiated for another user")
    project.announce(account)
    toolkit = project.connections.auth_config(account.auth_config_id).toolkit
    return {"connected_account_id": account.id, "toolkit_slug": toolkit}


@ROUTES.on("POST", "/connected_accounts", status=201)
def create_account(call: Call) -> object:
    """Connect at once, which is no longer possible for OAuth that Composio manages."""
    body, project = call.read(AccountBody), call.project
    config = project.connections.auth_config(body.auth_config.id)
    if config.is_composio_managed and config.auth_scheme.startswith("OAUTH"):
        raise invalid("Composio-managed OAuth is connected through POST /connected_accounts/link")
    account = project.connections.new(body.connection.user_id, config.id, Status.ACTIVE)
    project.announce(account)
    return {
        "id": account.id,
        "connectionData": project.shape_account(account)["state"],
        "status": account.status.value,
        "redirect_url": None,
        "redirect_uri": None,
    }


@ROUTES.on("PATCH", "/connected_accounts/{id}/status")
def enable_account(call: Call) -> object:
    """Disable or enable an account."""
    enabled = call.read(EnabledBody).enabled
    account = call.project.connections.get(call.path("id"))
    changed = accounts.switched(account, call.project.clock.tick(), enabled=enabled)
    return _changed(call.project, changed)


@ROUTES.on("POST", "/connected_accounts/{id}/revoke")
def revoke_account(call: Call) -> object:
    """Revoke an account at its provider."""
    account = call.project.connections.get(call.path("id"))
    return _changed(call.project, accounts.revoked(account, call.project.clock.tick()))


@ROUTES.on("DELETE", "/connected_accounts/{id}")
def delete_account(call: Call) -> object:
    """Delete an account."""
    call.project.connections.delete(call.path("id"))
    return {"success": True}


@ROUTES.on("GET", "/auth_configs")
def list_auth_configs(call: Call) -> object:
    """Without the disabled ones, unless `show_disabled` is true."""
    connections = call.project.connections
    toolkits = call.values("toolkit_slug")
    disabled_too = call.choice("show_disabled", "false", "true") == "true"
    rows = [
        config
        for config in connections.auth_configs.values()
        if (disabled_too or not config.is_disabled)
        and (not toolkits or config.toolkit in toolkits)
        and call.query.get("search", "").lower() in config.name.lower()
    ]
    counts = Counter(each.auth_config_id for each in connections.accounts.values())

    def render(config: AuthConfig) -> object:
        return wire.auth_config(config, counts[config.id])

    limit = call.number("limit", 20, _AUTH_CONFIG_PAGE)
    return cursor_page(rows, limit=limit, cursor=call.query.get("cursor"), render=render)


@ROUTES.on("GET", "/auth_configs/{id}")
def get_auth_config(call: Call) -> object:
    """Return one auth config."""
    connections = call.project.connections
    config = connections.auth_config(call.path("id"))
    used = sum(each.auth_config_id == config.id for each in connections.accounts.values())
    return wire.auth_config(config, used)


def _changed(project: Project, account: Account) -> object:
    project.connections.put(account)
    project.announce(account)
    return {"success": True}
