"""The endpoints of connected accounts and auth configs."""

from collections import Counter
from functools import partial
from operator import attrgetter

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.simulator import accounts, events, wire
from local.simulator.accounts import Account, AuthConfig, Status
from local.simulator.bodies import AccountBody, EnabledBody, LinkBody
from local.simulator.connections import Wanted
from local.simulator.moment import iso
from local.simulator.pages import cursor_page, whole
from local.simulator.project import Project
from local.simulator.refusal import invalid
from local.simulator.requests import listed, project_of, segment

# Changelog of 2026-09-21.
_AUTH_CONFIG_PAGE = 200


async def list_accounts(request: Request) -> JSONResponse:
    """GET /connected_accounts: filtered, ordered, page by page, PRIVATE unless asked."""
    project = project_of(request)
    query = request.query_params
    order = _one_of(query.get("order_by", "created_at"), "order_by", {"created_at", "updated_at"})
    direction = query.get("order_direction", "desc").lower()
    _one_of(direction, "order_direction", {"asc", "desc"})
    rows = sorted(
        project.connections.select(_wanted(request)),
        key=attrgetter(order, "id"),
        reverse=direction == "desc",
    )
    limit = whole(query.get("limit"), "limit", 10, project.switches.page_max)
    render = partial(project.shape, full=False)
    return JSONResponse(cursor_page(rows, limit=limit, cursor=query.get("cursor"), render=render))


async def get_account(request: Request) -> JSONResponse:
    """GET /connected_accounts/{id}."""
    project = project_of(request)
    return JSONResponse(project.shape(project.connections.get(segment(request, "id"))))


async def create_link(request: Request) -> JSONResponse:
    """POST /connected_accounts/link: the account id is known before the consent."""
    project = project_of(request)
    body = LinkBody.read(await request.body())
    link = project.connections.link(
        body.user_id, body.auth_config_id, body.callback_url, body.alias
    )
    project.announce(project.connections.get(link.account_id))
    return JSONResponse(
        {
            "link_token": link.token,
            "redirect_url": f"{project.base_url}/oauth/{link.token}",
            "expires_at": iso(link.expires_at),
            "connected_account_id": link.account_id,
        },
        201,
    )


async def create_account(request: Request) -> JSONResponse:
    """POST /connected_accounts: at once ACTIVE, but no longer for OAuth that Composio manages."""
    project = project_of(request)
    body = AccountBody.read(await request.body())
    config = project.connections.auth_config(body.auth_config.id)
    if config.is_composio_managed and config.auth_scheme.startswith("OAUTH"):
        raise invalid("Composio-managed OAuth is connected through POST /connected_accounts/link")
    account = project.connections.new(body.connection.user_id, config.id, Status.ACTIVE)
    project.announce(account)
    state = {"authScheme": config.auth_scheme, "val": {"status": account.status.value}}
    return JSONResponse(
        {
            "id": account.id,
            "connectionData": state,
            "status": account.status.value,
            "redirect_url": None,
            "redirect_uri": None,
        },
        201,
    )


async def enable_account(request: Request) -> JSONResponse:
    """PATCH /connected_accounts/{id}/status."""
    project = project_of(request)
    body = EnabledBody.read(await request.body())
    account = project.connections.get(segment(request, "id"))
    changed = accounts.switched(account, project.ticker.tick(), enabled=body.enabled)
    return _changed(project, changed)


async def revoke_account(request: Request) -> JSONResponse:
    """POST /connected_accounts/{id}/revoke."""
    project = project_of(request)
    account = project.connections.get(segment(request, "id"))
    return _changed(project, accounts.revoked(account, project.ticker.tick()))


async def delete_account(request: Request) -> JSONResponse:
    """DELETE /connected_accounts/{id}."""
    project = project_of(request)
    account = project.connections.delete(segment(request, "id"))
    project.announce(account, events.DELETED)
    return JSONResponse({"success": True})


async def list_auth_configs(request: Request) -> JSONResponse:
    """GET /auth_configs: without the disabled ones unless `show_disabled` is true."""
    project = project_of(request)
    query = request.query_params
    toolkits = listed(request, "toolkit_slug")
    disabled_too = query.get("show_disabled", "false").lower() == "true"
    rows = [
        config
        for config in project.connections.auth_configs.values()
        if (disabled_too or not config.is_disabled)
        and (not toolkits or config.toolkit in toolkits)
        and query.get("search", "").lower() in config.name.lower()
    ]
    counts = Counter(each.auth_config_id for each in project.connections.accounts.values())

    def render(config: AuthConfig) -> object:
        return wire.auth_config(config, counts[config.id])

    limit = whole(query.get("limit"), "limit", 20, _AUTH_CONFIG_PAGE)
    return JSONResponse(cursor_page(rows, limit=limit, cursor=query.get("cursor"), render=render))


ROUTES = [
    Route("/connected_accounts", list_accounts, methods=["GET"]),
    Route("/connected_accounts", create_account, methods=["POST"]),
    Route("/connected_accounts/link", create_link, methods=["POST"]),
    Route("/connected_accounts/{id}", get_account, methods=["GET"]),
    Route("/connected_accounts/{id}", delete_account, methods=["DELETE"]),
    Route("/connected_accounts/{id}/status", enable_account, methods=["PATCH"]),
    Route("/connected_accounts/{id}/revoke", revoke_account, methods=["POST"]),
    Route("/auth_configs", list_auth_configs, methods=["GET"]),
]


def _changed(project: Project, account: Account) -> JSONResponse:
    project.connections.put(account)
    project.announce(account)
    return JSONResponse({"success": True})


def _wanted(request: Request) -> Wanted:
    statuses = listed(request, "statuses")
    for status in statuses:
        _one_of(status, "statuses", set(Status))
    account_type = request.query_params.get("account_type", "PRIVATE")
    return Wanted(
        users=listed(request, "user_ids"),
        statuses=statuses,
        auth_configs=listed(request, "auth_config_ids"),
        ids=listed(request, "connected_account_ids"),
        toolkits=listed(request, "toolkit_slugs"),
        account_type=_one_of(account_type, "account_type", {"PRIVATE", "SHARED", "ALL"}),
    )


def _one_of(value: str, name: str, allowed: set[str] | set[Status]) -> str:
    if value not in allowed:
        expected = ", ".join(sorted(allowed))
        raise invalid(f"Invalid query parameter: {name}", f"{name} must be one of {expected}")
    return value
