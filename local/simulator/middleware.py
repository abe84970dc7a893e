"""What precedes and follows every API call: ledger, faults, API key, request id (ASGI)."""

import asyncio
import contextlib
import re
import time
from datetime import timedelta
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.simulator.bodies import user_of
from local.simulator.clock import iso, random_id, wall_clock
from local.simulator.http_protocol import Connection, finish
from local.simulator.ledger import Entry
from local.simulator.project import Project
from local.simulator.refusal import Refused
from local.simulator.subscriptions import loopback

_CREATED = re.compile(
    r"/api/v3(?:\.1)?/(?:mcp/servers/(?P<server>[^/]+)/instances|tool_router/session)/?"
)

_COMPOSIO = ("/api/", "/v3/mcp/", "/tool_router/")
_MCP_SERVERS = ("/api/v3/mcp", "/api/v3.1/mcp", "/v3/mcp")


class Middleware:
    """Wraps the application; the paths of the API and of MCP are treated as Composio's."""

    def __init__(self, app: ASGIApp, project: Project) -> None:
        self._app = app
        self._project = project

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._project.expire_links()
        # Ids may contain an encoded slash, so routes are matched before decoding.
        raw = scope["raw_path"].decode("ascii")
        routed = {**scope, "path": raw.replace("/api/v3.1/", "/api/v3/", 1)}
        if raw.startswith(_COMPOSIO):
            await self._call(routed, raw, receive, send)
        elif raw.startswith("/_control/") and not _from_here(scope):
            await PlainTextResponse("control is for loopback only", 403)(scope, receive, send)
        else:
            await self._app(routed, receive, send)

    async def _call(self, scope: Scope, raw: str, receive: Receive, send: Send) -> None:
        started, started_at = time.monotonic(), iso(wall_clock())
        body = await Request(scope, receive).body()
        created = _CREATED.fullmatch(raw) if scope["method"] == "POST" else None
        entry = Entry(
            method=scope["method"],
            path=unquote(raw),
            query=scope["query_string"].decode("latin-1"),
            key_ok=_key(scope, raw) in self._project.api_keys,
            request_id=random_id(""),
            server_id=unquote(created["server"]) if created and created["server"] else None,
            user_id=user_of(body) if created else None,
            started=started,
            started_at=started_at,
        )
        self._project.ledger.entries.append(entry)
        scope["state"]["request_id"] = entry.request_id
        connection: Connection = scope["state"]["connection"]
        connection.entry = entry
        try:
            answer = await self._answer(scope, body, receive, entry)
            if answer is None:
                await _cut(connection, receive)
            elif entry.ended is None:
                entry.status = answer.status_code
                await answer(scope, receive, send)
        finally:
            finish(entry)

    async def _answer(
        self, scope: Scope, body: bytes, receive: Receive, entry: Entry
    ) -> Response | None:
        """Return what is answered, or None where the answer is lost."""
        fault = self._project.faults.take(entry)
        before = fault.latency if fault.latency_at == "before" else 0
        await asyncio.sleep(before + self._project.options.latency)
        if fault.lose_answer == "before":
            return None
        answer = fault.answer(entry.request_id)
        if answer is None:
            if refused := self._refused(entry, key_given=_key(scope, entry.path) is not None):
                answer = refused.answer(entry.request_id)
            else:
                answer = await _carried_out(self._app, scope, body, receive)
            entry.carried_out = answer.status_code
        answer.headers.update(fault.headers)
        answer.headers["x-request-id"] = entry.request_id
        answer.headers.update(self._deprecation(entry))
        await asyncio.sleep(fault.latency - before)
        return None if fault.lose_answer else answer

    def _deprecation(self, entry: Entry) -> dict[str, str]:
        """Return the headers of an endpoint that will go (guide, Deprecation policy)."""
        sunset = self._project.options.mcp_sunset
        if sunset == "no" or not entry.path.startswith(_MCP_SERVERS):
            return {}
        at = self._project.clock.now() + timedelta(days=90 if sunset == "announced" else -1)
        return {"deprecation": "true", "sunset": format_datetime(at, usegmt=True)}

    def _refused(self, entry: Entry, *, key_given: bool) -> Refused | None:
        """Return what is answered without the application: a bad key, an endpoint that is gone."""
        if not entry.key_ok:
            fix = "Send a valid project API key in the x-api-key header"
            if key_given:
                slug = "APIKey_InvalidAPIKey"
                return Refused(401, "Invalid API key", code=801, slug=slug, fix=fix)
            slug = "Auth_NoAuthProvided"
            return Refused(401, "No authentication provided", code=906, slug=slug, fix=fix)
        if self._project.options.mcp_sunset == "over" and entry.path.startswith(_MCP_SERVERS):
            return Refused(410, "MCP servers have been removed", fix="Use sessions instead")
        return None


def _key(scope: Scope, path: str) -> str | None:
    """Return the API key; the MCP endpoints do not take a user's (API reference)."""
    headers = Headers(scope=scope)
    project_only = path.startswith(_MCP_SERVERS)
    return headers.get("x-api-key", None if project_only else headers.get("x-user-api-key"))


def _from_here(scope: Scope) -> bool:
    # A tunnel or a rebound DNS name reaches loopback too, but under a name of its own.
    return loopback(urlsplit(f"//{Headers(scope=scope).get('host', '')}").hostname)


async def _carried_out(app: ASGIApp, scope: Scope, body: bytes, receive: Receive) -> Response:
    """Have the application handle the call, and return its whole answer."""
    sent: list[Message] = []
    unread = [body]

    async def receive_again() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    async def send(message: Message) -> None:
        sent.append(message)

    # The application has answered 500 by the time it raises.
    with contextlib.suppress(Exception):
        await app(scope, receive_again, send)
    start, *rest = sent
    answer = Response(b"".join(message.get("body", b"") for message in rest), start["status"])
    answer.raw_headers = [*start["headers"]]
    return answer


async def _cut(connection: Connection, receive: Receive) -> None:
    """End the connection without an answer."""
    connection.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
