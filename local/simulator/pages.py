"""The two ways Composio cuts a list into pages: an opaque cursor, and page numbers."""

import base64
import math
from collections.abc import Callable, Sequence

from local.simulator.refusal import invalid


def cursor_page[T](
    rows: Sequence[T], *, limit: int, cursor: str | None, render: Callable[[T], object]
) -> dict[str, object]:
    """Cut out the page that a cursor stands for.

    The cursor is base64 of page and limit (changelog of 2026-09-21), so a list that changes
    between two calls can repeat or skip a row, as it can with the original.

    Raises:
        Refused: 400, when the cursor is not one of ours.
    """
    page, limit = _decoded(cursor) if cursor else (1, limit)
    total = max(1, math.ceil(len(rows) / limit))
    return {
        "items": [render(row) for row in rows[(page - 1) * limit : page * limit]],
        "next_cursor": _encoded(page + 1, limit) if page < total else None,
        "total_pages": total,
        "current_page": page,
        "total_items": len(rows),
    }


def numbered_page[T](
    rows: Sequence[T], *, limit: int, page: int, name: str, render: Callable[[T], object]
) -> dict[str, object]:
    """Cut out page `page` (from 1) of the MCP lists; `name` is the field of the rows."""
    return {
        name: [render(row) for row in rows[(page - 1) * limit : page * limit]],
        "total_pages": max(1, math.ceil(len(rows) / limit)),
        "current_page": page,
    }


def whole(text: str | None, name: str, default: int, most: int) -> int:
    """Read a positive whole number of a query; what exceeds `most` is clamped silently.

    Raises:
        Refused: 400, when it is not a positive whole number.
    """
    if text is None:
        return min(default, most)
    # The official clients send numbers as `20.0`.
    digits = text.removesuffix(".0")
    if not digits.isascii() or not digits.isdigit() or int(digits) < 1:
        raise invalid(f"Invalid query parameter: {name}", f"{name} must be a positive integer")
    return min(int(digits), most)


def _encoded(page: int, limit: int) -> str:
    return base64.urlsafe_b64encode(f"{page}:{limit}".encode()).decode()


def _decoded(cursor: str) -> tuple[int, int]:
    try:
        page, limit = map(int, base64.urlsafe_b64decode(cursor).decode().split(":"))
    except ValueError:
        page = limit = 0
    if min(page, limit) < 1:
        raise invalid("Invalid query parameter: cursor", "cursor is malformed")
    return page, limit
