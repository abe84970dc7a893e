"""How the routes of the simulator are written: functions from one call to the JSON to answer."""

import asyncio
import base64
import math
from collections.abc import Callable, Collection, Sequence
from typing import cast
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.simulator.bodies import Body
from local.simulator.project import Project
from local.simulator.refusal import invalid

type Handler = Callable[[Call], object]

CREATE_SECONDS = 0.02
"""How long a create call takes, so that two that overlap are seen to overlap."""


class Call:
    """One request with its whole body. Each method raises `Refused` (400) on invalid input."""

    def __init__(self, request: Request, body: bytes = b"") -> None:
        self.body = body
        self.query = request.query_params
        self.project = cast("Project", request.app.state.project)
        self._parameters = request.path_params

    def read[B: Body](self, kind: type[B]) -> B:
        """Parse the body."""
        return kind.read(self.body)

    def path(self, name: str = "id") -> str:
        """Return a path parameter, percent-decoded; routes are matched before decoding."""
        return unquote(self._parameters[name])

    def values(self, name: str, allowed: Collection[str] = ()) -> frozenset[str]:
        """Read a list filter: joined by commas as the official clients send it, or repeated."""
        values = self.query.getlist(name)
        return frozenset(
            _one_of(part, name, allowed) if allowed else part
            for value in values
            for part in value.split(",")
            if part
        )

    def choice(self, name: str, default: str, *others: str) -> str:
        """Read one of several words."""
        return _one_of(self.query.get(name, default), name, (default, *others))

    def number(self, name: str, default: int, most: int) -> int:
        """Read a positive whole number; what exceeds `most` is clamped silently."""
        # The official clients send numbers as `20.0`.
        digits = self.query.get(name, str(default)).removesuffix(".0")
        if not digits.isascii() or not digits.isdigit() or int(digits) < 1:
            raise invalid(f"Invalid query parameter: {name}", f"{name} must be a positive integer")
        return min(int(digits), most)

    def cursor_page[T](
        self, rows: Sequence[T], render: Callable[[T], object], *, default: int, most: int
    ) -> dict[str, object]:
        """Cut out the page that the cursor stands for; `default` and `most` are its sizes.

        The cursor is base64 of page and limit (changelog of 2026-09-21), so a list that changes
        between two calls can repeat or skip a row, as it can with the original.
        """
        page, limit = 1, self.number("limit", default, most)
        if cursor := self.query.get("cursor"):
            page, limit = _decoded(cursor)
        total = max(1, math.ceil(len(rows) / limit))
        following = base64.urlsafe_b64encode(f"{page + 1}:{limit}".encode()).decode()
        return {
            "items": [render(row) for row in rows[(page - 1) * limit : page * limit]],
            "next_cursor": following if page < total else None,
            "total_pages": total,
            "current_page": page,
            "total_items": len(rows),
        }

    def numbered_page[T](
        self, rows: Sequence[T], render: Callable[[T], object], *, name: str, default: int
    ) -> dict[str, object]:
        """Cut out one page of the MCP lists; `name` is the field of the rows."""
        limit, page = self.number("limit", default, 100), self.number("page_no", 1, 1_000_000)
        return {
            name: [render(row) for row in rows[(page - 1) * limit : page * limit]],
            "total_pages": max(1, math.ceil(len(rows) / limit)),
            "current_page": page,
        }


class Routes(list[Route]):
    """The routes of one subject, in the order in which they are matched."""

    def on(
        self, method: str, path: str, *, status: int = 200, seconds: float = 0
    ) -> Callable[[Handler], Handler]:
        """Register a function for a method and a path.

        Args:
            method: The HTTP method.
            path: The path below the mount, with `{parameters}`.
            status: The status of a successful answer.
            seconds: How long the call takes, half of it before and half of it after its effect.
        """

        def register(handle: Handler) -> Handler:
            async def endpoint(request: Request) -> JSONResponse:
                await asyncio.sleep(seconds / 2)
                content = handle(Call(request, await request.body()))
                await asyncio.sleep(seconds / 2)
                return JSONResponse(content, status)

            self.append(Route(path, endpoint, methods=[method]))
            return handle

        return register


def _one_of(value: str, name: str, allowed: Collection[str]) -> str:
    if value not in allowed:
        expected = ", ".join(sorted(allowed))
        raise invalid(f"Invalid query parameter: {name}", f"{name} must be one of {expected}")
    return value


def _decoded(cursor: str) -> tuple[int, int]:
    try:
        page, limit = map(int, base64.urlsafe_b64decode(cursor).decode().split(":"))
    except ValueError:
        page = limit = 0
    if min(page, limit) < 1:
        raise invalid("Invalid query parameter: cursor", "cursor is malformed")
    return page, limit
