"""Puts the routes behind the middleware: the ASGI application."""

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
    control,
    mcp_endpoint,
    project_control,
    server_routes,
    session_routes,
    subscription_routes,
)
from local.simulator.middleware import Middleware
from local.simulator.project import Project
from local.simulator.refusal import Refused

_API = [
    *account_routes.ROUTES,
    *server_routes.ROUTES,
    *session_routes.ROUTES,
    *subscription_routes.ROUTES,
]
_CONTROL = [*control.ROUTES, *project_control.ROUTES]


def application(project: Project) -> Middleware:
    """Build the ASGI application that serves a project."""
    app = Starlette(
        routes=[
            Mount("/api/v3", routes=_API),
            *consent.ROUTES,
            *mcp_endpoint.ROUTES,
            Mount("/_control", routes=_CONTROL),
        ],
        exception_handlers=dict.fromkeys((Refused, HTTPException, Exception), _refuse),
        lifespan=partial(_lifespan, project),
    )
    app.state.project = project
    return Middleware(app, project)


@contextlib.asynccontextmanager
async def _lifespan(project: Project, _: Starlette) -> AsyncIterator[None]:
    yield
    await project.deliveries.stop()


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    match error:
        case Refused():
            refused = error
        case HTTPException():
            refused = Refused(error.status_code, f"{request.method} is not served here")
        case _:
            refused = Refused(500, f"The simulator itself failed: {type(error).__name__}")
    return refused.answer(getattr(request.state, "request_id", ""))
