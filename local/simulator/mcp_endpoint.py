"""The MCP endpoint of a server: streamable HTTP, by the official `mcp` package."""

import json
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from local.simulator.call import Call
from local.simulator.project import Project
from local.simulator.refusal import Refused, invalid

_NO_ARGUMENTS = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of a user: one per toolkit, which tells whose account it would use."""

    project: Project
    user_id: str
    toolkits: tuple[str, ...]

    def names(self) -> dict[str, str]:
        """Map the tools' names to their toolkits."""
        return {f"{toolkit.upper()}_WHO_AM_I": toolkit for toolkit in self.toolkits}

    def run(self, name: str) -> str | None:
        """Return the tool's result as JSON, or None where the user has no usable account."""
        toolkit = self.names()[name]
        connections = self.project.connections
        for account in connections.of_user(self.user_id):
            if (
                account.usable
                and connections.auth_config(account.auth_config_id).toolkit == toolkit
            ):
                found = {"user_id": self.user_id, "connected_account_id": account.id}
                return json.dumps(found | {"toolkit": toolkit})
        return None


class ServerEndpoint:
    """`/v3/mcp/{id}?user_id=…`, for users that have an instance of the server."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI."""
        request = Request(scope, receive)
        tools = _of_server(Call(request))
        await serve_tools(tools, request, send)


async def serve_tools(tools: Tools, request: Request, send: Send) -> None:
    """Answer one MCP request; there are neither sessions nor streams."""
    # To import it takes as long as to start the simulator, which is often used without it.
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


ROUTES = [Route("/v3/mcp/{id}", ServerEndpoint())]


def _of_server(call: Call) -> Tools:
    """Check the user of a server's URL (guide, MCP servers).

    Raises:
        Refused: 404, 400 without a user, 403 without an instance.
    """
    project, user_id = call.project, call.query.get("user_id")
    server = project.servers.get(call.path("id"))
    account_id = call.query.get("connected_account_id")
    if account_id and not user_id:
        user_id = project.connections.get(account_id).user_id
    if not user_id:
        raise invalid("user_id or connected_account_id is required")
    if user_id not in project.servers.instances[server.id]:
        raise Refused(403, f"The user {user_id} has no instance of this MCP server")
    return Tools(project, user_id, project.toolkits(server))
