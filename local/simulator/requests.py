"""Reading a Starlette request, the same way for every route."""

from typing import cast
from urllib.parse import unquote

from starlette.requests import Request

from local.simulator.pages import whole
from local.simulator.project import Project


def project_of(request: Request) -> Project:
    """Return the project that the application serves."""
    return cast("Project", request.app.state.project)


def segment(request: Request, name: str) -> str:
    """Return a path parameter, percent-decoded; routes are matched before decoding."""
    return unquote(request.path_params[name])


def listed(request: Request, name: str) -> frozenset[str]:
    """Read a list filter: comma-joined as the vendor's clients send it, or repeated."""
    values = request.query_params.getlist(name)
    return frozenset(part for value in values for part in value.split(",") if part)


def page_numbers(request: Request, default: int, most: int) -> tuple[int, int]:
    """Read `page_no` and `limit` of the MCP lists.

    Raises:
        Refused: 400, when one is not a positive whole number.
    """
    query = request.query_params
    page = whole(query.get("page_no"), "page_no", 1, 1_000_000)
    return page, whole(query.get("limit"), "limit", default, most)
