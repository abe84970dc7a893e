"""The endpoints of MCP servers and their instances."""

from functools import partial
from operator import attrgetter
from typing import Annotated
from urllib.parse import quote

from pydantic import StringConstraints

from local.simulator import wire
from local.simulator.bodies import Body, Text
from local.simulator.call import CREATE_SECONDS, Call, Routes

ROUTES = Routes()

type _Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 -]{4,30}$")]


class _ServerBody(Body):
    name: _Name
    auth_config_ids: tuple[Text, ...]
    allowed_tools: tuple[str, ...] = ()


class _ServerPatch(Body):
    name: _Name | None = None
    auth_config_ids: tuple[Text, ...] | None = None
    allowed_tools: tuple[str, ...] | None = None


class _GenerateBody(Body):
    mcp_server_id: Text
    user_ids: tuple[Text, ...] = ()
    connected_account_ids: tuple[Text, ...] = ()


class _InstanceBody(Body):
    user_id: Text


@ROUTES.on("GET", "/mcp/servers")
def _list_servers(call: Call) -> object:
    """List them, last changed first."""
    needed = call.values("auth_config_ids")
    name = call.query.get("name", "").lower()
    rows = [
        server
        for server in call.project.servers.by_id.values()
        if name in server.name.lower() and needed <= set(server.auth_config_ids)
    ]
    rows.sort(key=attrgetter("updated_at"), reverse=_newest_first(call))
    render = partial(call.project.shape_server, full=False)
    return call.numbered_page(rows, render, name="items", default=10)


@ROUTES.on("POST", "/mcp/servers", status=201)
def _create_server(call: Call) -> object:
    body = call.read(_ServerBody)
    server = call.project.servers.new(
        body.name, body.auth_config_ids, allowed_tools=body.allowed_tools
    )
    return call.project.shape_server(server)


@ROUTES.on("POST", "/mcp/servers/generate")
def _generate_urls(call: Call) -> object:
    """Return the URLs at which users and accounts reach a server."""
    body = call.read(_GenerateBody)
    url = call.project.mcp_url(call.project.servers.get(body.mcp_server_id))
    return {
        "mcp_url": url,
        "user_ids_url": [f"{url}?user_id={quote(each, safe='')}" for each in body.user_ids],
        "connected_account_urls": [
            f"{url}?connected_account_id={quote(each, safe='')}"
            for each in body.connected_account_ids
        ],
    }


@ROUTES.on("GET", "/mcp/servers/{id}/instances")
def _list_instances(call: Call) -> object:
    """List them, newest first; `search` matches parts of the id."""
    server = call.project.servers.get(call.path())
    search = call.query.get("search", "")
    rows = [
        instance
        for instance in call.project.servers.instances[server.id].values()
        if search in instance.instance_id
    ]
    if _newest_first(call):
        rows.reverse()
    listed = call.numbered_page(rows, wire.plain, name="instances", default=20)
    return {**listed, "server_id": server.id, "server_name": server.name}


@ROUTES.on("POST", "/mcp/servers/{id}/instances", status=201, seconds=CREATE_SECONDS)
def _create_instance(call: Call) -> object:
    user_id = call.read(_InstanceBody).user_id
    return wire.plain(call.project.servers.create_instance(call.path(), user_id))


@ROUTES.on("DELETE", "/mcp/servers/{id}/instances/{user}")
def _delete_instance(call: Call) -> object:
    """Delete an instance, and the user's accounts too."""
    deleted = call.project.servers.destroy_instance(call.path(), call.path("user"))
    return {"message": "MCP server instance deleted", "deleted_connected_accounts": len(deleted)}


@ROUTES.on("GET", "/mcp/{id}")
def _get_server(call: Call) -> object:
    return call.project.shape_server(call.project.servers.get(call.path()))


@ROUTES.on("PATCH", "/mcp/{id}")
def _change_server(call: Call) -> object:
    changes = call.read(_ServerPatch).changes()
    return call.project.shape_server(call.project.servers.change(call.path(), changes))


@ROUTES.on("DELETE", "/mcp/{id}")
def _delete_server(call: Call) -> object:
    call.project.servers.delete(call.path())
    return {"id": call.path(), "deleted": True}


def _newest_first(call: Call) -> bool:
    return call.choice("order_direction", "desc", "asc") == "desc"
