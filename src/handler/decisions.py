"""Decides, and does nothing: who is complete, what an answer means, when to try again.

Pure: values in, values out. `conclude` asks for more evidence instead of fetching it, so the
whole table "Composio answers -> then" of the README can be read, and tested, in one place.
"""

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum, auto

from handler.instances import Answer, Problem, Server, Settlement, Status

LEASE_SECONDS = 40
"""How long a claim holds: longer than any function's time-out, which a test compares, as one
may be killed some time after it (Powertools issue 4759 saw 0.7 s)."""

MAX_ATTEMPTS = 8
"""How often a create is tried that Composio forbids for no reason that we can see."""
FIRST_DELAY_SECONDS = 15
LONGEST_DELAY_SECONDS = 900


class Need(Enum):
    """What must be known or tried before an answer can be concluded from."""

    REPEAT = auto()
    RECORD = auto()
    ACCOUNTS = auto()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out after an answer; `met` holds each need that was seen to."""

    met: frozenset[Need] = frozenset()
    record: Mapping[str, str] | None = None
    missing: frozenset[str] | None = None
    problem: Problem | None = None
    """Set when the last look-up failed: then nothing follows from what was not found."""


def missing(required: AbstractSet[str], active: AbstractSet[str]) -> frozenset[str]:
    """Return the auth configs for which the user has no active connected account."""
    return frozenset(required) - active


def needs_backfill(before: Server | None, after: Server) -> bool:
    """Whether users may be complete without an event to come: the server is new, or has changed.

    Also where it needs more: accounts that no server required were not recorded.
    """
    if after.gone:
        return False
    return before is None or before.gone or before.required != after.required


def delay(attempts: int, *, jitter: float) -> int:
    """Return the seconds to wait after so many attempts: doubling, capped, spread.

    Args:
        attempts: Create calls so far, from 1.
        jitter: A random number in [0, 1): 0 halves the delay, 1 leaves it whole.
    """
    whole = min(FIRST_DELAY_SECONDS << min(attempts - 1, 16), LONGEST_DELAY_SECONDS)
    return max(1, round(whole * (0.5 + jitter / 2)))


def without_a_call(
    server: Server, active: AbstractSet[str], attempts: int, *, jitter: float
) -> Settlement | None:
    """Say how a claim ends that Composio need not be asked about, or None to ask."""
    if server.gone:
        return Settlement(
            Status.FAILED, problem=Problem("the MCP server does not exist, or is not enrolled")
        )
    if lacking := missing(server.required, active):
        due_in = delay(attempts, jitter=jitter)
        return Settlement(Status.WAITING, due_in=due_in, missing=lacking)
    return None


def conclude(
    answer: Answer, evidence: Evidence, *, attempts: int, jitter: float
) -> Settlement | Need:
    """Say how the claim ends, or what must be found out first.

    Args:
        answer: What create-instance answered.
        evidence: What was found out since, empty at first.
        attempts: Create calls so far, this one included.
        jitter: A random number in [0, 1).
    """
    again = Settlement(
        Status.RETRYING,
        due_in=delay(attempts, jitter=jitter),
        problem=evidence.problem or answer.problem,
    )
    match answer.status:
        case 200 | 201 if answer.record:
            return Settlement(Status.READY, record=answer.record)
        case 200 | 201 | 409:
            if Need.RECORD not in evidence.met:
                return Need.RECORD
            return Settlement(Status.READY, record=evidence.record)
        case 400:
            return _bad_request(answer, evidence, again)
        case 403:
            return _forbidden(answer, evidence, again, attempts)
        case 401:
            return again
        case 429:
            return _rate_limited(answer, again)
        case None | 408:
            return again if Need.REPEAT in evidence.met else Need.REPEAT
        case status if status >= 500:
            return again if Need.REPEAT in evidence.met else Need.REPEAT
        case _:
            return Settlement(Status.FAILED, problem=answer.problem)


def _bad_request(answer: Answer, evidence: Evidence, again: Settlement) -> Settlement | Need:
    # Older versions say "already exists" with 400 (OpenAPI of January 2026). Messages change,
    # the list of instances does not lie.
    if Need.RECORD not in evidence.met:
        return Need.RECORD
    if evidence.record:
        return Settlement(Status.READY, record=evidence.record)
    if evidence.problem:
        return again
    return Settlement(Status.FAILED, problem=answer.problem)


def _forbidden(
    answer: Answer, evidence: Evidence, again: Settlement, attempts: int
) -> Settlement | Need:
    if Need.ACCOUNTS not in evidence.met:
        return Need.ACCOUNTS
    if evidence.missing:
        # Due all the same: an account may have connected while the claim kept its event out.
        return Settlement(
            Status.WAITING, due_in=again.due_in, missing=evidence.missing, problem=answer.problem
        )
    if evidence.problem or attempts < MAX_ATTEMPTS:
        return again
    return Settlement(Status.FAILED, problem=answer.problem)


def _rate_limited(answer: Answer, again: Settlement) -> Settlement:
    asked = answer.problem.retry_after or 0
    return Settlement(
        Status.RETRYING, due_in=max(again.due_in or 0, math.ceil(asked)), problem=answer.problem
    )
