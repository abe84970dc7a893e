"""The lines that the functions log, read by CloudWatch Logs."""

import heapq
import json
import re
import time
from collections.abc import Iterator
from enum import StrEnum, auto
from typing import Any, NamedTuple

from handler.telemetry import hashed
from provisioner.stack import Stack

FUNCTIONS = ("webhook", "worker", "announcer")
POLL_SECONDS = 2
_LATE_MILLISECONDS = 60_000
"""A line may become readable so much later than it is dated."""
_HASH = re.compile(r"[0-9a-f]{16}")
_PLAIN = re.compile(r"[\w.@+-]+", re.ASCII)
"""What means itself in a filter pattern."""


class Level(StrEnum):
    """From the least to the most severe; a line has the name."""

    DEBUG = auto()
    INFO = auto()
    WARNING = auto()
    ERROR = auto()
    CRITICAL = auto()


class Line(NamedTuple):
    """A line of a function's log; `at` is Unix milliseconds."""

    at: int
    id: str
    function: str
    content: dict[str, Any]


class Query(NamedTuple):
    """Which lines are wanted: of these levels, and, if there are names, about the user so named."""

    names: tuple[str, ...]
    levels: tuple[str, ...]

    def __contains__(self, content: object) -> bool:
        """Return whether a line is wanted."""
        if not isinstance(content, dict) or content.get("level") not in self.levels:
            return False
        return not self.names or content.get("user_id") in self.names

    @property
    def pattern(self) -> str:
        """The filter pattern for CloudWatch Logs, which lets through all that is wanted."""
        field, values = ("user_id", self.names) if self.names else ("level", self.levels)
        if not all(_PLAIN.fullmatch(value) for value in values):
            return f'{{ $.{field} = "*" }}'
        return f"{{ {' || '.join(f'($.{field} = "{value}")' for value in values)} }}"


def query(stack: Stack, user_id: str | None, level: Level | None = None) -> Query:
    """Return what asks for the lines of a user, or of all users, from this level on.

    Without a level it is what one of the saved queries asks for. The user may be given by the
    hash that stands for him in the logs. An id is asked for only where the logs have ids.
    """
    names = list[str]()
    if user_id is not None:
        names.append(hashed(user_id))
        if stack.parameters.get("LogUserIds") == "plain" or _HASH.fullmatch(user_id):
            names.append(user_id)
    levels = list(Level)
    lowest = level or (Level.ERROR if user_id is None else Level.DEBUG)
    return Query(tuple(names), tuple(one.name for one in levels[levels.index(lowest) :]))


def read(stack: Stack, query: Query, since: int) -> Iterator[Line]:
    """Yield the lines of all functions since a time (Unix milliseconds), the newest last."""
    logs = (_of(stack, function, query, since) for function in FUNCTIONS)
    return heapq.merge(*logs, key=lambda line: line.at)


def follow(stack: Stack, query: Query, since: int) -> Iterator[Line]:
    """Yield the lines since a time (Unix milliseconds), and then each as it comes, without end."""
    seen = dict[str, int]()
    while True:
        late = int(time.time() * 1000) - _LATE_MILLISECONDS
        for line in read(stack, query, since):
            if line.id not in seen:
                yield line
            if line.at >= late:
                seen[line.id] = line.at
        since = max(since, late)
        seen = {name: at for name, at in seen.items() if at >= since}
        time.sleep(POLL_SECONDS)


def _of(stack: Stack, function: str, query: Query, since: int) -> Iterator[Line]:
    pages = stack.logs.get_paginator("filter_log_events").paginate(
        logGroupName=stack.outputs[f"{function.title()}LogGroupName"],
        startTime=since,
        filterPattern=query.pattern,
    )
    for event in (event for page in pages for event in page["events"]):
        try:
            content = json.loads(event["message"])
        except (ValueError, RecursionError):
            continue  # Lambda's own, or broken off
        if content in query:
            # The emulator gives no id.
            name = event.get("eventId") or f"{event['logStreamName']} {event['message']}"
            yield Line(event["timestamp"], name, function, content)
