"""A Composio in memory, whose answers a test may script."""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.doubles import refusal


@dataclass
class FakeComposio:
    """A minimal Composio; create calls get the answers of `script` first."""

    servers: dict[str, list[str]]
    toolkits: Mapping[str, str]
    """Of each auth config."""
    urls: dict[str, object] = field(default_factory=dict)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    instances: set[tuple[str, str]] = field(default_factory=set)
    script: deque[Callable[[httpx.Request], httpx.Response] | httpx.Response | Exception] = field(
        default_factory=deque
    )
    router_sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The request body of each session, by id."""
    gets: deque[httpx.Response] = field(default_factory=deque)
    on_list: Callable[[httpx.QueryParams, httpx.Response], httpx.Response] | None = None
    """Replaces each answer to a list of connected accounts, given its query."""
    down: bool = False
    page: int = 100
    requests: list[httpx.Request] = field(default_factory=list)

    @property
    def creates(self) -> int:
        """The number of create calls."""
        return sum(request.method == "POST" for request in self.requests)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "GET" and self.gets:
            return self.gets.popleft()
        if self.down:
            raise httpx.ConnectError("down", request=request)
        parts = request.url.path.removeprefix("/api/v3/").split("/")
        return self._session(request, parts) if "tool_router" in parts else self._v3(request, parts)

    def _v3(self, request: httpx.Request, parts: list[str]) -> httpx.Response:
        match request.method, parts:
            case "POST", ["mcp", "servers", server_id, "instances"]:
                return self._create(request, server_id)
            case "GET", ["mcp", "servers", server_id, "instances"]:
                found = [self.record(*one) for one in self.instances if one[0] == server_id]
                return httpx.Response(200, json={"instances": found, "total_pages": 1})
            case "GET", ["mcp", "servers"]:
                items = [self._server(one) for one in self.servers]
                return httpx.Response(200, json={"items": items, "total_pages": 1})
            case "GET", ["mcp", server_id] if server_id in self.servers:
                return httpx.Response(200, json=self._server(server_id))
            case "GET", ["connected_accounts", account_id] if account_id in self.accounts:
                return httpx.Response(200, json=self.accounts[account_id])
            case "GET", ["connected_accounts"]:
                params, listed = request.url.params, self._accounts(request.url.params)
                return self.on_list(params, listed) if self.on_list else listed
            case "GET", ["auth_configs"]:
                toolkits = self.toolkits.items()
                items = [{"id": one, "toolkit": {"slug": toolkit}} for one, toolkit in toolkits]
                return httpx.Response(200, json={"items": items})
        return refusal(404, "not found")

    def record(self, server_id: str, user_id: str) -> dict[str, str]:
        """Return the record of an instance."""
        at = "2026-01-01T00:00:00.000Z"
        return {
            "id": f"rec_{user_id}",
            "instance_id": user_id,
            "mcp_server_id": server_id,
            "created_at": at,
            "updated_at": at,
        }

    def _create(self, request: httpx.Request, server_id: str) -> httpx.Response:
        user_id = json.loads(request.content)["user_id"]
        if self.script:
            return self._next(request)
        if (server_id, user_id) in self.instances:
            return refusal(409, "exists")
        self.instances.add((server_id, user_id))
        return httpx.Response(201, json=self.record(server_id, user_id))

    def _next(self, request: httpx.Request) -> httpx.Response:
        step = self.script.popleft()
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, httpx.Response) else step(request)

    def _session(self, request: httpx.Request, parts: list[str]) -> httpx.Response:
        if request.method == "GET":
            session_id = parts[-1]
            if session_id not in self.router_sessions:
                return refusal(404, "no such session")
            return httpx.Response(200, json=self.session_body(session_id))
        if self.script:
            return self._next(request)
        return httpx.Response(201, json=self.make_session(json.loads(request.content)))

    def make_session(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a session, and return the answer."""
        session_id = f"trs_{len(self.router_sessions) + 1}"
        self.router_sessions[session_id] = body
        return self.session_body(session_id)

    def session_body(self, session_id: str) -> dict[str, Any]:
        """Return the session as Composio shows it."""
        url = f"https://composio.invalid/tool_router/{session_id}/mcp"
        return {
            "session_id": session_id,
            "mcp": {"type": "http", "url": url},
            "config_version": 1,
            "warnings": [],
        }

    def _accounts(self, params: httpx.QueryParams) -> httpx.Response:
        items = list(self.accounts.values())
        for name, key in (
            ("user_ids", "user_id"),
            ("statuses", "status"),
            ("connected_account_ids", "id"),
        ):
            if name in params:
                items = [one for one in items if one[key] in params[name].split(",")]
        if "auth_config_ids" in params:
            wanted = params["auth_config_ids"].split(",")
            items = [one for one in items if one["auth_config"]["id"] in wanted]
        items.sort(key=lambda one: str(one["created_at"]), reverse=True)
        at = int(params.get("cursor", "0"))
        more = str(at + self.page) if at + self.page < len(items) else None
        return httpx.Response(200, json={"items": items[at : at + self.page], "next_cursor": more})

    def _server(self, server_id: str) -> dict[str, Any]:
        server = {"id": server_id, "name": "demo", "auth_config_ids": self.servers[server_id]}
        return server | {"mcp_url": self.urls.get(server_id)}
