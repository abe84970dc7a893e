"""The endpoints of MCP servers and their instances."""

import asyncio
from functools import partial
from operator import attrgetter

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.simulator import events, wire
from local.simulator.bodies import InstanceBody, ServerBody, ServerPatch
from local.simulator.pages import numbered_page
from local.simulator.requests import listed, page_numbers, project_of, segment

_MOST_ROWS = 100


async def create_instance(request: Request) -> JSONResponse:
    """POST /mcp/servers/{id}/instances: check and create are one step amid the latency."""
    project = project_of(request)
    half = project.switches.instance_latency / 2
    await asyncio.sleep(half)
    body = InstanceBody.read(await request.body())
    server_id = segment(request, "id")
    conflict = 400 if project.switches.legacy_conflict else 409
    instance = project.servers.create_instance(server_id, body.user_id, conflict=conflict)
    await asyncio.sleep(half)
    return JSONResponse(wire.instance(instance), 201)


async def list_instances(request: Request) -> JSONResponse:
    """GET /mcp/servers/{id}/instances: newest first; `search` matches parts of the id."""
    project = project_of(request)
    server = project.servers.get(segment(request, "id"))
    page, limit = page_numbers(request, 20, _MOST_ROWS)
    search = request.query_params.get("search", "")
    rows = [
        instance
        for instance in project.servers.instances[server.id].values()
        if search in instance.instance_id
    ]
    if request.query_params.get("order_direction", "desc") == "desc":
        rows.reverse()
    shown = numbered_page(rows, limit=limit, page=page, name="instances", render=wire.instance)
    return JSONResponse({**shown, "server_id": server.id, "server_name": server.name})


async def delete_instance(request: Request) -> JSONResponse:
    """DELETE /mcp/servers/{id}/instances/{user}: deletes the user's accounts too."""
    project = project_of(request)
    server_id, user_id = segment(request, "id"), segment(request, "user")
    deleted = project.servers.destroy_instance(server_id, user_id)
    for account in deleted:
        project.announce(account, events.DELETED)
    return JSONResponse(
        {"message": "MCP server instance deleted", "deleted_connected_accounts": len(deleted)}
    )


async def list_servers(request: Request) -> JSONResponse:
    """GET /mcp/servers: last changed first."""
    project = project_of(request)
    page, limit = page_numbers(request, 10, _MOST_ROWS)
    needed = listed(request, "auth_config_ids")
    name = request.query_params.get("name", "").lower()
    rows = [
        server
        for server in project.servers.by_id.values()
        if name in server.name.lower() and needed <= set(server.auth_config_ids)
    ]
    descending = request.query_params.get("order_direction", "desc") == "desc"
    rows.sort(key=attrgetter("updated_at"), reverse=descending)
    render = partial(project.shape_server, full=False)
    return JSONResponse(numbered_page(rows, limit=limit, page=page, name="items", render=render))


async def create_server(request: Request) -> JSONResponse:
    """POST /mcp/servers."""
    project = project_of(request)
    body = ServerBody.read(await request.body())
    server = project.servers.new(body.name, body.auth_config_ids, allowed_tools=body.allowed_tools)
    return JSONResponse(project.shape_server(server), 201)


async def get_server(request: Request) -> JSONResponse:
    """GET /mcp/{id}: not below `/mcp/servers`."""
    project = project_of(request)
    return JSONResponse(project.shape_server(project.servers.get(segment(request, "id"))))


async def change_server(request: Request) -> JSONResponse:
    """PATCH /mcp/{id}."""
    project = project_of(request)
    body = ServerPatch.read(await request.body())
    server = project.servers.change(segment(request, "id"), body.changes())
    return JSONResponse(project.shape_server(server))


async def delete_server(request: Request) -> JSONResponse:
    """DELETE /mcp/{id}."""
    server_id = segment(request, "id")
    project_of(request).servers.delete(server_id)
    return JSONResponse({"id": server_id, "deleted": True})


ROUTES = [
    Route("/mcp/servers", list_servers, methods=["GET"]),
    Route("/mcp/servers", create_server, methods=["POST"]),
    Route("/mcp/servers/{id}/instances", list_instances, methods=["GET"]),
    Route("/mcp/servers/{id}/instances", create_instance, methods=["POST"]),
    Route("/mcp/servers/{id}/instances/{user}", delete_instance, methods=["DELETE"]),
    Route("/mcp/{id}", get_server, methods=["GET"]),
    Route("/mcp/{id}", change_server, methods=["PATCH"]),
    Route("/mcp/{id}", delete_server, methods=["DELETE"]),
]
