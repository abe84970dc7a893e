"""Decides, and does nothing: who is complete, what an answer means, when to try again.

Pure: values in, values out, so that each rule can be read, and tested, by itself.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from enum import Enum, auto
from typing import Any

from handler.events import Account
from handler.targets import Answer, Kind, Problem, Settlement, Status, Target, TargetRow

SETTLE_SECONDS = 3
"""Kept back from a function's time, to store what became of a call."""

LEASE_SECONDS = 40
"""How long a claim holds: longer than any function's time-out, which a test compares, as one
may be killed some time after it (Powertools issue 4759 saw 0.7 s)."""

MAX_FORBIDDEN = 8
"""How many times in a row a create call may be forbidden for no reason that we can see."""

FIRST_DELAY_SECONDS = 15
LONGEST_DELAY_SECONDS = 900
FIRST_FAILED_DELAY_SECONDS = 3600
LONGEST_FAILED_DELAY_SECONDS = 86_400
FAILED_FOR_SECONDS = 30 * 86_400
"""How long a failed target is tried again by itself."""


class Meaning(Enum):
    """What an answer of a create call says."""

    CREATED = auto()
    EXISTS = auto()
    UNCLEAR = auto()
    """It may exist: the list of instances tells."""
    FORBIDDEN = auto()
    REFUSED = auto()
    LATER = auto()


def missing(required: AbstractSet[str], active: AbstractSet[str]) -> frozenset[str]:
    """Return the auth configs for which the user has no active connected account."""
    return frozenset(required) - active


def fingerprint(target: Target, accounts: Iterable[Account]) -> str:
    """Return what a create call is made with: the requirement, and the accounts that meet it.

    Of a session also what else the operator has asked for. While it stays the same, a call that
    failed would fail again. An account counts as another one when Composio has said something new
    of it.
    """
    met = [
        (one.id, one.updated_at, one.seen_at)
        for one in accounts
        if one.active and one.meets(target.required)
    ]
    made_with: list[Any] = [sorted(target.required), sorted(met)]
    if target.kind is not Kind.INSTANCE:
        made_with.append([target.toolkits, target.create])
    text = json.dumps(made_with, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def settled_by(row: TargetRow | None, tried: str) -> bool:
    """Whether nothing is left to do for a complete user now: it is ready, due, or tried so."""
    if row is None:
        return False
    return row.status in _READY_OR_DUE or row.tried == tried


def needs_backfill(before: Target | None, after: Target) -> bool:
    """Whether users may be complete without an event to come: the server is new, or has changed.

    Also where it needs more: accounts that no server required were not recorded.
    """
    if after.gone:
        return False
    return before is None or before.gone or before.required != after.required


def meaning(answer: Answer) -> Meaning:
    """Say what an answer means, by its status and its form, never by the text of a message.

    What is not in Composio's own form comes from a proxy, and is no evidence of anything. Older
    versions say "already exists" with 400 (OpenAPI of January 2026).
    """
    match answer.status:
        case None:
            return Meaning.LATER
        case 200 | 201 if answer.record:
            return Meaning.CREATED
        case status if 200 <= status < 300:
            return Meaning.UNCLEAR
        case 409:
            return Meaning.EXISTS if answer.problem.enveloped else Meaning.UNCLEAR
        case 400:
            return Meaning.UNCLEAR
        case 401 | 408 | 429:
            return Meaning.LATER
        case status if status >= 500 or not answer.problem.enveloped:
            return Meaning.LATER
        case 403:
            return Meaning.FORBIDDEN
    return Meaning.REFUSED


def may_have_created(answer: Answer) -> bool:
    """Whether the call may have created something of which the answer does not say what it is."""
    status = answer.status
    return status is None or status == 408 or status >= 500 or (status < 300 and not answer.record)


def overall(statuses: Iterable[Status | None]) -> Status:
    """Return the one word for a user's targets: ready, failed where one has, else waiting."""
    told = set(statuses)
    if Status.FAILED in told:
        return Status.FAILED
    return Status.READY if told <= {Status.READY} else Status.WAITING


def repeats_at_once(answer: Answer) -> bool:
    """Whether one more call at once may help: no answer came, or one of a passing trouble."""
    status = answer.status
    passing = status is None or status == 408 or (status >= 500 and status != 503)
    return passing and answer.problem.retry_after is None


def delay(attempts: int, *, jitter: float) -> int:
    """Return the seconds to wait after so many attempts: doubling, capped, spread.

    Args:
        attempts: Create calls so far, from 1.
        jitter: A random number in [0, 1): 0 halves the delay, 1 leaves it whole.
    """
    whole = min(FIRST_DELAY_SECONDS << min(attempts - 1, 16), LONGEST_DELAY_SECONDS)
    return max(1, round(whole * (0.5 + jitter / 2)))


def ready(record: Mapping[str, Any] | None, url: str = "") -> Settlement:
    """Say that it exists, with its record and URL where these are known."""
    return Settlement(Status.READY, record=record, url=url)


def retrying(
    claimed: TargetRow, problem: Problem, *, jitter: float, forbidden: int = 0
) -> Settlement:
    """Say that the call is made again: after the back-off, or later if Composio asks for it."""
    asked = math.ceil(problem.retry_after or 0)
    due_in = max(delay(claimed.attempts, jitter=jitter), asked)
    return Settlement(Status.RETRYING, due_in, problem=problem, forbidden=forbidden)


def waiting(
    claimed: TargetRow, lacking: frozenset[str], *, jitter: float, problem: Problem | None = None
) -> Settlement:
    """Say that accounts are missing.

    It is due once more all the same: an account may have connected while the claim kept its
    event out.
    """
    due_in = delay(claimed.attempts, jitter=jitter)
    return Settlement(Status.WAITING, due_in, missing=lacking, problem=problem)


def failed(claimed: TargetRow, problem: Problem, *, now: int, jitter: float) -> Settlement:
    """Say that a person should look; it is tried again by itself, rarely, for thirty days."""
    whole = FIRST_FAILED_DELAY_SECONDS << min(claimed.failures, 16)
    due_in: int | None = round(min(whole, LONGEST_FAILED_DELAY_SECONDS) * (0.9 + jitter / 10))
    if claimed.failed_at is not None and now - claimed.failed_at >= FAILED_FOR_SECONDS:
        due_in = None
    return Settlement(Status.FAILED, due_in, problem=problem)


_READY_OR_DUE = (Status.READY, Status.CREATING, Status.RETRYING)
