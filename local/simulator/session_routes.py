"""The endpoints of tool router sessions."""

from typing import Any

from pydantic import Field

from local.simulator.accounts import Account
from local.simulator.bodies import Body, Text
from local.simulator.call import CREATE_SECONDS, Call, Routes
from local.simulator.clock import iso
from local.simulator.connections import Connections
from local.simulator.refusal import invalid
from local.simulator.sessions import Session, SessionBody, SessionPatch

ROUTES = Routes()


class _LinkBody(Body):
    toolkit: Text
    alias: str | None = None
    callback_url: str | None = Field(default=None, pattern=r"^https?://")


@ROUTES.on("POST", "/tool_router/session", status=201, seconds=CREATE_SECONDS)
def _create_session(call: Call) -> object:
    return _shape(call, call.project.sessions.create(call.read(SessionBody)))


@ROUTES.on("GET", "/tool_router/session/{id}")
def _get_session(call: Call) -> object:
    return _shape(call, call.project.sessions.get(call.path()))


@ROUTES.on("PATCH", "/tool_router/session/{id}")
def _change_session(call: Call) -> object:
    return _shape(call, call.project.sessions.change(call.path(), call.read(SessionPatch)))


@ROUTES.on("DELETE", "/tool_router/session/{id}")
def _delete_session(call: Call) -> object:
    call.project.sessions.delete(call.path())
    return {"session_id": call.path(), "deleted": True}


@ROUTES.on("POST", "/tool_router/session/{id}/link", status=201)
def _link_account(call: Call) -> object:
    """Begin to connect an account of one of the session's toolkits."""
    body, project = call.read(_LinkBody), call.project
    session = project.sessions.get(call.path())
    auth_configs = project.sessions.toolkits(session).get(body.toolkit)
    if not auth_configs:
        raise invalid(f"The toolkit {body.toolkit} is not enabled in this session")
    link = project.connections.link(
        session.user_id, min(auth_configs), body.callback_url, alias=body.alias
    )
    return {
        "link_token": link.token,
        "redirect_url": project.link_url(link.token),
        "connected_account_id": link.account_id,
    }


@ROUTES.on("GET", "/tool_router/session/{id}/toolkits")
def _list_toolkits(call: Call) -> object:
    """List the session's toolkits with the account that each would use."""
    tools = call.project.tools_of(call.project.sessions.get(call.path()))
    wanted = call.values("toolkits") or tools.toolkits.keys()
    connected = call.query.get("is_connected", "").lower()
    rows = [
        _toolkit(call.project.connections, toolkit, account)
        for toolkit in tools.toolkits
        for account in [tools.account(toolkit)]
        if toolkit in wanted and connected in {"", str(account is not None).lower()}
    ]
    return call.cursor_page(rows, dict, default=20, most=50)


@ROUTES.on("GET", "/tool_router/session/{id}/tools")
def _list_tools(call: Call) -> object:
    tools = call.project.tools_of(call.project.sessions.get(call.path()))
    rows = [_tool(*each) for each in tools.names().items()]
    return call.cursor_page(rows, dict, default=20, most=50)


def _shape(call: Call, session: Session) -> dict[str, Any]:
    """Shape a session as it is created, read and changed."""
    asked = dict(session.config)
    toolkits = asked.pop("toolkits", {})
    config: dict[str, Any] = {
        "execute": {},
        "preload": {"tools": []},
        "search": {},
        "instant": False,
    } | asked
    config["user_id"] = session.user_id
    config["toolkits"] = _renamed(toolkits) or None
    if "manage_connections" in config:
        config["manage_connections"] = _renamed(config["manage_connections"])
    return {
        "session_id": session.id,
        "mcp": {"type": "http", "url": f"{call.project.base_url}/tool_router/{session.id}/mcp"},
        "tool_router_tools": list(call.project.tools_of(session).names()),
        "config": config,
        "config_version": session.version,
        "warnings": [],
    }


def _renamed(asked: dict[str, Any]) -> dict[str, Any]:
    """Answer as `enabled` what is asked for as `enable`."""
    names = {"enable": "enabled", "disable": "disabled"}
    return {names.get(name, name): each for name, each in asked.items()}


def _toolkit(connections: Connections, toolkit: str, account: Account | None) -> dict[str, object]:
    connected: object = None
    if account is not None:
        config = connections.auth_config(account.auth_config_id)
        connected = {
            "id": account.id,
            "user_id": account.user_id,
            "status": account.status.value,
            "created_at": iso(account.created_at),
            "auth_config": {
                "id": config.id,
                "auth_scheme": config.auth_scheme,
                "is_composio_managed": True,
            },
        }
    return {
        "slug": toolkit,
        "name": toolkit.capitalize(),
        "enabled": True,
        "is_no_auth": False,
        "composio_managed_auth_schemes": ["OAUTH2"],
        "meta": {"logo": "", "description": toolkit},
        "connected_account": connected,
    }


def _tool(name: str, toolkit: str) -> dict[str, object]:
    version = {"version": "1", "available_versions": ["1"], "is_deprecated": False}
    return {
        "slug": name,
        "name": name,
        "description": f"Tells whose {toolkit} account is used",
        "toolkit": {"slug": toolkit, "name": toolkit.capitalize(), "logo": ""},
        "input_parameters": {},
        "output_parameters": {},
        "no_auth": False,
        "scopes": [],
        "tags": ["readOnlyHint"],
        **version,
        "deprecated": {"displayName": name, **version, "toolkit": {"logo": ""}},
    }
