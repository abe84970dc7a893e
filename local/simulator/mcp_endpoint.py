"""The MCP endpoints of servers and sessions: streamable HTTP, by the official `mcp` package."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from local.simulator.call import Call
from local.simulator.refusal import Refused, invalid
from local.simulator.tools import Tools

_NO_ARGUMENTS = {"type": "object", "properties": {}, "additionalProperties": False}


async def serve_tools(tools: Tools, request: Request, send: Send) -> None:
    """Answer one MCP request; there are neither sessions nor streams."""
    # Importing it takes as long as starting the simulator, which is often used without it.
    from mcp import types  # noqa: PLC0415
    from mcp.server.lowlevel import Server  # noqa: PLC0415
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager  # noqa: PLC0415

    async def list_tools(*_: object) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=name,
                    description=f"Tells whose {toolkit} account is used",
                    input_schema=_NO_ARGUMENTS,
                )
                for name, toolkit in tools.names().items()
            ]
        )

    async def call_tool(_: object, params: types.CallToolRequestParams) -> types.CallToolResult:
        known = params.name in tools.names()
        text = tools.run(params.name) if known else None
        problem = "no usable connected account" if known else f"there is no tool {params.name}"
        content = types.TextContent(type="text", text=text or problem)
        return types.CallToolResult(content=[content], is_error=text is None)

    if request.method != "POST":
        await Response(status_code=405, headers={"allow": "POST"})(
            request.scope, request.receive, send
        )
        return
    server = Server("composio-simulator", on_list_tools=list_tools, on_call_tool=call_tool)
    manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
    async with manager.run():
        await manager.handle_request(request.scope, request.receive, send)


class McpEndpoint:
    """An ASGI application; `tools_for` finds the tools of a request, or raises `Refused`."""

    def __init__(self, tools_for: Callable[[Call], Tools]) -> None:
        self._tools_for = tools_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        await serve_tools(self._tools_for(Call(request)), request, send)


def tools_of_instance(call: Call) -> Tools:
    """Return the tools of a user who has an instance of the server (guide, MCP servers)."""
    project, user_id = call.project, call.query.get("user_id")
    server = project.servers.get(call.path())
    account_id = call.query.get("connected_account_id")
    if account_id and not user_id:
        user_id = project.connections.get(account_id).user_id
    if not user_id:
        raise invalid("user_id or connected_account_id is required")
    if user_id not in project.servers.instances[server.id]:
        raise Refused(403, f"The user {user_id} has no instance of this MCP server")
    toolkits = project.connections.by_toolkit(server.auth_config_ids)
    return Tools(project.connections, user_id, toolkits)


def tools_of_session(call: Call) -> Tools:
    """Return the tools of a session."""
    return call.project.tools_of(call.project.sessions.get(call.path()))


ROUTES = [
    Route("/v3/mcp/{id}", McpEndpoint(tools_of_instance)),
    Route("/tool_router/{id}/mcp", McpEndpoint(tools_of_session)),
]
