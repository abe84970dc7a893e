"""What stands before every API call: ledger, faults, rate limit, key, request id (ASGI)."""

import asyncio
import re
import time
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.simulator.answer import Answer, finish
from local.simulator.bodies import user_of
from local.simulator.faults import Fault
from local.simulator.ledger import Entry
from local.simulator.moment import iso, random_id, wall_clock
from local.simulator.project import Project
from local.simulator.refusal import Refused, envelope
from local.simulator.subscriptions import loopback

_INSTANCES = re.compile(r"/api/v3(?:\.1)?/mcp/servers/([^/]+)/instances/?")


class Gate:
    """Wraps the application; only paths below `/api/` are treated as Composio's."""

    def __init__(self, app: ASGIApp, project: Project) -> None:
        self._app = app
        self._project = project

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._project.lapse()
        # Ids may contain an encoded slash, so routes are matched before decoding.
        raw = scope["raw_path"].decode("ascii")
        routed = {**scope, "path": raw.replace("/api/v3.1/", "/api/v3/", 1)}
        if raw.startswith("/api/"):
            await self._call(routed, raw, receive, send)
        elif raw.startswith("/_control/") and not _from_here(scope):
            await PlainTextResponse("control is for loopback only", 403)(scope, receive, send)
        else:
            await self._app(routed, receive, send)

    async def _call(self, scope: Scope, raw: str, receive: Receive, send: Send) -> None:
        started, started_at = time.monotonic(), iso(wall_clock())
        body = await _read(receive)
        key = Headers(scope=scope).get("x-api-key")
        posted = _INSTANCES.fullmatch(raw) if scope["method"] == "POST" else None
        entry = Entry(
            number=self._project.ledger.total + 1,
            method=scope["method"],
            path=unquote(raw),
            query=scope["query_string"].decode("latin-1"),
            key_ok=key in self._project.api_keys,
            request_id=random_id(""),
            server_id=unquote(posted[1]) if posted else None,
            user_id=user_of(body) if posted else None,
            started=started,
            started_at=started_at,
        )
        self._project.ledger.add(entry)
        scope["state"]["request_id"] = entry.request_id
        answer = Answer(entry, scope["state"]["cable"], receive, send)
        try:
            await self._answer(scope, body, answer, key_given=key is not None)
        finally:
            finish(entry)

    async def _answer(self, scope: Scope, body: bytes, answer: Answer, *, key_given: bool) -> None:
        entry, project = answer.entry, self._project
        fault = project.faults.take(entry.method, entry.path, entry.user_id)
        if fault is not None:
            entry.fault = True
            answer.headers.update(fault.headers())
            answer.delay = fault.latency if fault.latency_at == "after" else 0
            answer.lost = fault.lose_answer is not None
            await asyncio.sleep(fault.latency if fault.latency_at == "before" else 0)
            if fault.lose_answer == "before":
                await answer.cut()
                return
        if project.switches.latency:
            await asyncio.sleep(project.switches.latency)
        barred = self._limited(answer) or _unauthorized(entry, key_given=key_given)
        work = barred or self._app
        injected = _injected(fault, entry.request_id)
        if injected is not None and fault is not None and fault.carry_out:
            await work(scope, _replay(body, answer.receive), answer.swallow)
        await (injected or work)(scope, _replay(body, answer.receive), answer.send)
        if answer.lost:
            await answer.cut()

    def _limited(self, answer: Answer) -> Response | None:
        switches = self._project.switches
        if switches.rate_limit is None:
            return None
        remaining, wait = self._project.window.take(
            switches.rate_limit, switches.rate_window, time.monotonic()
        )
        answer.headers.update(
            {
                "x-ratelimit": str(switches.rate_limit),
                "x-ratelimit-remaining": str(max(0, remaining)),
                "x-ratelimit-window-size": f"{switches.rate_window:g}s",
            }
        )
        if remaining >= 0:
            return None
        minutes = f"{switches.rate_window / 60:g}"
        limit = f"Limit: {switches.rate_limit} requests per {minutes} minutes"
        answer.headers["retry-after"] = str(max(1, round(wait + 0.5)))
        return JSONResponse(
            {"message": f"Rate limit exceeded. {limit}"}, HTTPStatus.TOO_MANY_REQUESTS
        )


def _from_here(scope: Scope) -> bool:
    # A tunnel or a rebound DNS name reaches loopback too, but under a name of its own.
    return loopback(urlsplit(f"//{Headers(scope=scope).get('host', '')}").hostname)


def _injected(fault: Fault | None, request_id: str) -> Response | None:
    if fault is None or fault.status is None:
        return None
    content = fault.answer(request_id)
    if isinstance(content, str):
        return HTMLResponse(content, fault.status)
    return JSONResponse(content, fault.status)


def _unauthorized(entry: Entry, *, key_given: bool) -> Response | None:
    if entry.key_ok:
        return None
    fix = "Send a valid project API key in the x-api-key header"
    if key_given:
        refused = Refused(401, "Invalid API key", code=801, slug="APIKey_InvalidAPIKey", fix=fix)
    else:
        refused = Refused(
            401, "No authentication provided", code=906, slug="Auth_NoAuthProvided", fix=fix
        )
    return JSONResponse(envelope(refused, entry.request_id), refused.status)


async def _read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def replayed() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replayed
