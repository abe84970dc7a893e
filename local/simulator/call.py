"""How the routes of the simulator are written: functions from one call to the JSON to answer."""

import asyncio
from collections.abc import Callable, Collection
from typing import cast
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.simulator.bodies import Body
from local.simulator.pages import whole
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

    def path(self, name: str) -> str:
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
        return whole(self.query.get(name), name, default, most)


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
