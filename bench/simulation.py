"""A model of very many users, minute by minute: what piles up, where, and how long it lasts.

The delays, the sweep's pace and the concurrency are the project's own; how long a call takes is
assumed, and says so. One unit stands for `UNIT` users, so that a day is simulated in a second.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from handler.decisions import delay
from handler.sweep import MOST_DUE, OVERLAP_SECONDS

UNIT = 50
DAY_MINUTES = 24 * 60
DAYS = 2
ACCOUNTS_A_USER = 2
# Assumed: what one round trip takes, in seconds.
DYNAMODB_SECONDS = 0.008
CREATE_SECONDS = 0.4
REFUSED_SECONDS = 0.2
DIRECT_SECONDS = 3 * DYNAMODB_SECONDS + CREATE_SECONDS


@dataclass(frozen=True)
class Scenario:
    """A day with `users`; Composio answers 503 in `outage` (minutes of the first day, or none)."""

    name: str
    users: int
    worker_concurrency: int
    calls_a_minute: int
    outage: range = range(0)


@dataclass(frozen=True)
class Minute:
    """How things are at the end of a minute; users, not units."""

    pending: int
    queued: int
    ready: int
    refused: int
    """Answers 429 in this minute."""


@dataclass
class Outcome:
    """The outcome of a scenario; `waits` are the seconds from the last connection to ready."""

    minutes: list[Minute] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    delayed: list[float] = field(default_factory=list)
    """The waits of those whom the first call did not make ready."""


class Case(NamedTuple):
    """A unit of users whose instance is to be tried again; times are in seconds."""

    due: float
    number: int
    connected: float
    attempts: int


def arrivals(scenario: Scenario) -> Iterator[int]:
    """Yield the units that connect their last account, minute by minute: most at 14:00 UTC."""
    left = 0.0
    for minute in range(DAYS * DAY_MINUTES):
        wave = 1 - 0.6 * math.cos((minute - 120) / DAY_MINUTES * 2 * math.pi)
        left += scenario.users / UNIT / DAY_MINUTES * wave if minute < DAY_MINUTES else 0
        whole = int(left)
        left -= whole
        yield whole


def looking_back(units: float) -> tuple[float, float]:
    """Return how long the sweep's reading of recent accounts takes, and its calls a minute.

    It reads again what is younger than its overlap, and each account costs a read;
    so a pass takes the longer, the more there is, and the next one begins a minute later at most.
    """
    accounts = units * UNIT * ACCOUNTS_A_USER
    share = accounts * DYNAMODB_SECONDS / 60
    if share >= 1:
        return math.inf, accounts / 100
    minutes = max(1.0, OVERLAP_SECONDS / 60 * share / (1 - share))
    return minutes, accounts / 100 * (1 + OVERLAP_SECONDS / 60 / minutes)


def simulate(scenario: Scenario) -> Outcome:
    """Run a scenario; always the same for the same one."""
    luck, numbers, outcome = random.Random(1), count(), Outcome()  # noqa: S311 -- a model's
    due: list[Case] = []
    queue: deque[Case] = deque()
    for minute, arrived in enumerate(arrivals(scenario)):
        start, out = minute * 60.0, minute in scenario.outage
        worked = _worked(scenario, out=out)
        # What is due follows as the queue is worked off, and so much waits there.
        while due and due[0].due <= start and len(queue) < worked + MOST_DUE // UNIT:
            queue.append(heapq.heappop(due))
        moments = [start + luck.uniform(0, 60) for _ in range(arrived)]
        fresh = [Case(at, next(numbers), at, 0) for at in moments]
        taken = min(len(queue), worked)
        again = [queue.popleft()._replace(due=start + 60 * n / taken) for n in range(taken)]
        allowed = int(scenario.calls_a_minute - looking_back(arrived)[1]) // UNIT
        ready = refused = 0
        for case in sorted([*fresh, *again]):
            if not out and ready < allowed:
                ready += 1
                wait = case.due - case.connected + DIRECT_SECONDS
                outcome.waits.append(wait)
                outcome.delayed += [wait] if case.attempts else []
                continue
            refused += not out
            attempts = case.attempts + 1
            pause = delay(attempts, jitter=luck.random())
            # An answer 429 says when the minute ends.
            after = pause if out else max(pause, start + 60 - case.due)
            heapq.heappush(due, Case(case.due + after, case.number, case.connected, attempts))
        pending = (len(due) + len(queue)) * UNIT
        outcome.minutes.append(Minute(pending, len(queue) * UNIT, ready * UNIT, refused * UNIT))
    return outcome


def _worked(scenario: Scenario, *, out: bool) -> int:
    """Return the units that the worker takes in a minute, one of it being busy looking back."""
    seconds = 3 * DYNAMODB_SECONDS + (2 * REFUSED_SECONDS if out else CREATE_SECONDS)
    return int((scenario.worker_concurrency - 1) * 60 / seconds) // UNIT


OUTAGE = range(10 * 60, 16 * 60)
MILLION = 1_000_000
SCENARIOS = (
    Scenario("a day", MILLION, 5, 2000),
    Scenario("outage, as delivered", MILLION, 5, 2000, OUTAGE),
    Scenario("outage, concurrency 15", MILLION, 15, 2000, OUTAGE),
    Scenario("outage, concurrency 25, 10,000 calls", MILLION, 25, 10_000, OUTAGE),
)
