"""The command `logs`: shows what the functions have logged, and follows it."""

import json
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import typer

from provisioner import log_lines
from provisioner.context import Context
from provisioner.log_lines import Level, Line
from provisioner.options import MaybeUserId
from provisioner.output import when

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NOT_SHOWN = frozenset({
    "level", "message", "timestamp", "service", "location", "cold_start", "xray_trace_id",
    "exception", "stack_trace",
})  # fmt: skip
"""What is in each line, or has lines of its own; --json shows it."""


def _since(text: str) -> str:
    _start(text)
    return text


def logs(
    ctx: typer.Context,
    user_id: MaybeUserId = None,
    *,
    since: Annotated[
        str,
        typer.Option(
            callback=_since, help="Start this long ago (30s, 15m, 2h, 1d), or at this time (UTC)."
        ),
    ] = "1d",
    level: Annotated[
        Level | None,
        typer.Option(help="Lowest level to show. Default: error, or with a user, every level."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep showing new lines until Ctrl-C.")
    ] = False,
) -> None:
    """Show what the functions logged about a user, or what failed, newest last."""
    context = Context.of(ctx)
    stack, start, line = context.stack, _start(since), None
    query = log_lines.query(stack, user_id, level)
    read = log_lines.follow if follow else log_lines.read
    for line in read(stack, query, int(start * 1000)):
        context.screen.show({"function": line.function, **line.content}, _line(line, user_id))
    if line is None:
        context.screen.say(f"nothing since {when(int(start))} UTC")


def _start(text: str) -> float:
    """Return the Unix time that is meant; raises BadParameter if there is none."""
    now = time.time()
    if ago := re.fullmatch(r"(\d{1,9})([smhd])", text):
        return max(0.0, now - int(ago[1]) * _UNITS[ago[2]])
    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(text)
        if (then := (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) <= now:
            return max(0.0, then)
    raise typer.BadParameter(f"{text!r} is not like 15m, nor a past time like 2026-01-31T12:00")


def _line(line: Line, user_id: str | None) -> str:
    hidden = _NOT_SHOWN | ({"user_id"} if user_id else set())
    fields = [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in line.content.items()
        if value not in (None, "", [], {}) and name not in hidden
        if not name.startswith("function_")
    ]
    level, message = line.content["level"], str(line.content.get("message", ""))
    return "  ".join([when(line.at // 1000), level, line.function, message, *fields])
