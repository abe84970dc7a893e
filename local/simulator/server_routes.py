"""The endpoints of MCP servers and their instances."""

from functools import partial
from operator import attrgetter
from urllib.parse import quote

from local.simulator import wire
from local.simulator.bodies import GenerateBody, InstanceBody, ServerBody, ServerPatch
from local.simulator.call import CREATE_SECONDS, Call, Routes
from local.simulator.pages import numbered_page

ROUTES = Routes()

_MOST_ROWS = 100


@ROUTES.on("GET", "/mcp/servers")
def list_servers(call: Call) -> object:
    """Last changed first."""
    needed = call.values("auth_config_ids")
    name = call.query.get("name", "").lower()
    rows = [
        server
        for server in call.project.servers.by_id.values()
        if name in server.name.lower() and needed <= set(server.auth_config_ids)
    ]
    rows.sort(key=attrgetter("updated_at"), reverse=_newest_first(call))
    render = partial(call.project.shape_server, full=False)
    limit, page = call.number("limit", 10, _MOST_ROWS), _page(call)
    return numbered_page(rows, limit=limit, page=page, name="items", render=render)


@ROUTES.on("POST", "/mcp/servers", status=201)
def create_server(call: Call) -> object:
    """Make a server."""
    body = call.read(ServerBody)
    server = call.project.servers.new(
        body.name, body.auth_config_ids, allowed_tools=body.allowed_tools
    )
    return call.project.shape_server(server)


@ROUTES.on("POST", "/mcp/servers/generate")
def generate_urls(call: Call) -> object:
    """Return the URLs at which users and accounts reach a server."""
    body = call.read(GenerateBody)
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
def list_instances(call: Call) -> object:
    """Newest first; `search` matches parts of the id."""
    server = call.project.servers.get(call.path("id"))
    search = call.query.get("search", "")
    rows = [
        instance
        for instance in call.project.servers.instances[server.id].values()
        if search in instance.instance_id
    ]
    if _newest_first(call):
        rows.reverse()
    limit, page = call.number("limit", 20, _MOST_ROWS), _page(call)
    listed = numbered_page(rows, limit=limit, page=page, name="instances", render=wire.plain)
    return {**listed, "server_id": server.id, "server_name": server.name}


@ROUTES.on("POST", "/mcp/servers/{id}/instances", status=201, seconds=CREATE_SECONDS)
def create_instance(call: Call) -> object:
    """Check and create in one step."""
    user_id = call.read(InstanceBody).user_id
    return wire.plain(call.project.servers.create_instance(call.path("id"), user_id))


@ROUTES.on("DELETE", "/mcp/servers/{id}/instances/{user}")
def delete_instance(call: Call) -> object:
    """Delete an instance, and the user's accounts too."""
    deleted = call.project.servers.destroy_instance(call.path("id"), call.path("user"))
    return {"message": "MCP server instance deleted", "deleted_connected_accounts": len(deleted)}


@ROUTES.on("GET", "/mcp/{id}")
def get_server(call: Call) -> object:
    """Return one server: not below `/mcp/servers`."""
    return call.project.shape_server(call.project.servers.get(call.path("id")))


@ROUTES.on("PATCH", "/mcp/{id}")
def change_server(call: Call) -> object:
    """Change what is given."""
    changes = call.read(ServerPatch).changes()
    return call.project.shape_server(call.project.servers.change(call.path("id"), changes))


@ROUTES.on("DELETE", "/mcp/{id}")
def delete_server(call: Call) -> object:
    """Delete a server and its instances."""
    call.project.servers.delete(call.path("id"))
    return {"id": call.path("id"), "deleted": True}


def _page(call: Call) -> int:
    return call.number("page_no", 1, 1_000_000)


def _newest_first(call: Call) -> bool:
    return call.choice("order_direction", "desc", "asc") == "desc"
