"""The endpoints of connected accounts and auth configs."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from operator import attrgetter
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from local.simulator import wire
from local.simulator.accounts import Account, AccountType, AuthConfig, Status
from local.simulator.bodies import Body, Text
from local.simulator.call import Call, Routes
from local.simulator.clock import iso
from local.simulator.project import Project
from local.simulator.refusal import invalid

ROUTES = Routes()


class _Sharing(Body):
    account_type: AccountType = "PRIVATE"


class _LinkBody(Body):
    auth_config_id: Text
    user_id: Text
    alias: str | None = None
    callback_url: str | None = None
    connection_data: dict[str, Any] = Field(default_factory=dict)
    experimental: _Sharing = _Sharing()

    @field_validator("callback_url")
    @classmethod
    def _leads_to_a_page(cls, url: str | None) -> str | None:
        if url is not None and (
            urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname
        ):
            raise ValueError("must be an http or https URL")
        return url


class _CompleteAuthBody(Body):
    session_uri: Text
    user_id: Text


class _Reference(Body):
    id: Text


class _Connection(Body):
    user_id: Text


class _AccountBody(Body):
    auth_config: _Reference
    connection: _Connection


class _EnabledBody(Body):
    enabled: bool


@ROUTES.on("GET", "/connected_accounts")
def _list_accounts(call: Call) -> object:
    order = call.choice("order_by", "created_at", "updated_at")
    rows = sorted(
        _wanted_accounts(call),
        key=attrgetter(order, "id"),
        reverse=call.choice("order_direction", "desc", "asc") == "desc",
    )
    render = partial(call.project.shape_account, full=False)
    # Composio does not publish its largest page of accounts.
    return call.cursor_page(rows, render, default=10, most=50)


def _wanted_accounts(call: Call) -> Iterator[Account]:
    """Yield the accounts that pass all filters, in no particular order."""
    connections = call.project.connections
    statuses = call.values("statuses", set(Status))
    auth_configs = call.values("auth_config_ids")
    ids = call.values("connected_account_ids")
    toolkits = call.values("toolkit_slugs")
    account_type = call.choice("account_type", "PRIVATE", "SHARED", "ALL")
    for account in connections.of_users(call.values("user_ids")):
        toolkit = connections.auth_configs[account.auth_config_id].toolkit
        if (
            (not statuses or account.status in statuses)
            and (not auth_configs or account.auth_config_id in auth_configs)
            and (not ids or account.id in ids)
            and (not toolkits or toolkit in toolkits)
            and account_type in {"ALL", account.account_type}
        ):
            yield account


@ROUTES.on("GET", "/connected_accounts/{id}")
def _get_account(call: Call) -> object:
    return call.project.shape_account(call.project.connections.get(call.path()))


@ROUTES.on("POST", "/connected_accounts/link", status=201)
def _create_link(call: Call) -> object:
    """Begin a connection: the account id is known before the consent."""
    body, project = call.read(_LinkBody), call.project
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
def _complete_auth(call: Call) -> object:
    """Finish a connection under callback identity verification."""
    body, project = call.read(_CompleteAuthBody), call.project
    account = project.connections.complete(body.session_uri, body.user_id)
    if account.status is not Status.ACTIVE:
        raise invalid("The connection was initiated for another user")
    project.announce(account)
    toolkit = project.connections.auth_config(account.auth_config_id).toolkit
    return {"connected_account_id": account.id, "toolkit_slug": toolkit}


@ROUTES.on("POST", "/connected_accounts", status=201)
def _create_account(call: Call) -> object:
    """Connect at once, which is no longer possible for OAuth that Composio manages."""
    body, project = call.read(_AccountBody), call.project
    config = project.connections.auth_config(body.auth_config.id)
    if config.auth_scheme.startswith("OAUTH"):
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
def _enable_account(call: Call) -> object:
    enabled = call.read(_EnabledBody).enabled
    return _changed(call.project, call.project.connections.switch(call.path(), enabled=enabled))


@ROUTES.on("POST", "/connected_accounts/{id}/revoke")
def _revoke_account(call: Call) -> object:
    return _changed(call.project, call.project.connections.revoke(call.path()))


def _changed(project: Project, account: Account) -> object:
    project.announce(account)
    return {"success": True}


@ROUTES.on("DELETE", "/connected_accounts/{id}")
def _delete_account(call: Call) -> object:
    call.project.connections.delete(call.path())
    return {"success": True}


@ROUTES.on("GET", "/auth_configs")
def _list_auth_configs(call: Call) -> object:
    """List them without the disabled ones, unless `show_disabled` is true."""
    connections = call.project.connections
    toolkits = call.values("toolkit_slug")
    disabled_too = call.choice("show_disabled", "false", "true") == "true"
    rows = [
        config
        for config in connections.auth_configs.values()
        if (disabled_too or not config.is_disabled)
        and (not toolkits or config.toolkit in toolkits)
        and call.query.get("search", "").lower() in config.toolkit.lower()
    ]
    counts = Counter(each.auth_config_id for each in connections.accounts.values())

    def render(config: AuthConfig) -> object:
        return wire.auth_config(config, counts[config.id])

    # Changelog of 2026-09-21.
    return call.cursor_page(rows, render, default=20, most=200)


@ROUTES.on("GET", "/auth_configs/{id}")
def _get_auth_config(call: Call) -> object:
    connections = call.project.connections
    config = connections.auth_config(call.path())
    used = sum(each.auth_config_id == config.id for each in connections.accounts.values())
    return wire.auth_config(config, used)
