"""Puts the routes behind the gate: the ASGI application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount

from local.simulator import (
    account_routes,
    consent,
    control_routes,
    seed_routes,
    server_routes,
    subscription_routes,
)
from local.simulator.gate import Gate
from local.simulator.project import Project
from local.simulator.refusal import Refused, envelope

_TICK = 0.5


def application(project: Project) -> Gate:
    """Build the ASGI application that serves a project."""
    app = Starlette(
        routes=[
            Mount(
                "/api/v3",
                routes=[
                    *account_routes.ROUTES,
                    *server_routes.ROUTES,
                    *subscription_routes.ROUTES,
                ],
            ),
            *consent.ROUTES,
            Mount("/_control", routes=[*control_routes.ROUTES, *seed_routes.ROUTES]),
        ],
        exception_handlers={Refused: _refused, HTTPException: _not_routed, Exception: _broken},
        lifespan=partial(_lifespan, project),
    )
    app.state.project = project
    return Gate(app, project)


@contextlib.asynccontextmanager
async def _lifespan(project: Project, _: Starlette) -> AsyncIterator[None]:
    lapsing = asyncio.create_task(_lapse(project))
    try:
        yield
    finally:
        lapsing.cancel()
        await project.deliveries.stop()


async def _lapse(project: Project) -> None:
    while True:
        await asyncio.sleep(_TICK)
        project.lapse()


async def _refused(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Refused):
        raise TypeError("only refusals are answered here") from error
    request_id = getattr(request.state, "request_id", "")
    return JSONResponse(envelope(error, request_id), error.status)


async def _not_routed(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return await _refused(request, Refused(status, f"{request.method} is not served here"))


async def _broken(request: Request, error: Exception) -> JSONResponse:
    problem = f"The simulator itself failed: {type(error).__name__}"
    return await _refused(request, Refused(500, problem))
