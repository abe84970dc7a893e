"""Decides, and does nothing: who is complete, what an answer means, when to try again.

Pure: values in, values out. `conclude` asks for more evidence instead of fetching it, so the
whole table "what Composio answers -> then" can be read, and tested, in one place.
"""

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum, auto
from typing import NamedTuple

from handler.values import Answer, Problem, Server, Settlement, Status

SETTLE_SECONDS = 3
"""Kept back from a function's time, to store what became of a call."""

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


class Evidence(NamedTuple):
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
        return Settlement(Status.WAITING, delay(attempts, jitter=jitter), missing=lacking)
    return None


def conclude(
    answer: Answer, evidence: Evidence, *, attempts: int, jitter: float
) -> Settlement | Need:
    """Say how the claim ends, or what must be found out first.

    Args:
        answer: What create-instance answered.
        evidence: What was found out since, empty at first.
        attempts: Create calls so far, this one included.
        jitter: As for `delay`.
    """
    need = _need(answer)
    if need and need not in evidence.met:
        return need
    due_in = delay(attempts, jitter=jitter)
    again = Settlement(Status.RETRYING, due_in, problem=evidence.problem or answer.problem)
    match answer.status:
        case 200 | 201 | 409:
            return Settlement(Status.READY, record=answer.record or evidence.record)
        case 400 if evidence.record:
            return Settlement(Status.READY, record=evidence.record)
        case 400 if evidence.problem:
            return again
        case 403 if evidence.missing:
            # Due all the same: an account may have connected while the claim kept its event out.
            return again._replace(
                status=Status.WAITING, missing=evidence.missing, problem=answer.problem
            )
        case 403 if evidence.problem or attempts < MAX_ATTEMPTS:
            return again
        case 429:
            asked = math.ceil(answer.problem.retry_after or 0)
            return again._replace(due_in=max(due_in, asked))
        case 401:
            return again
    if need is Need.REPEAT:
        return again
    return Settlement(Status.FAILED, problem=answer.problem)


def _need(answer: Answer) -> Need | None:
    match answer.status:
        case 200 | 201 if answer.record:
            return None
        case 200 | 201 | 409:
            return Need.RECORD
        case 400:
            # Older versions say "already exists" with 400 (OpenAPI of January 2026). Messages
            # change, the list of instances does not lie.
            return Need.RECORD
        case 403:
            return Need.ACCOUNTS
        case status if status is None or status == 408 or status >= 500:
            return Need.REPEAT
    return None
