"""The values that the modules share: servers, instances, answers of Composio, settlements."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class Status(StrEnum):
    """Status of an instance: the same word in table, log and answer."""

    WAITING = "waiting"
    CREATING = "creating"
    READY = "ready"
    RETRYING = "retrying"
    FAILED = "failed"


OPEN = frozenset({"INITIALIZING", "INITIATED"})
"""The statuses of an account that its user may be connecting just now."""

OUTCOMES = (Status.READY, Status.FAILED)
"""The statuses that are told on the event bus."""


class Target(NamedTuple):
    """What is provisioned for each user, and the auth configs that it requires of one."""

    id: str
    required: frozenset[str]
    name: str = ""
    gone: bool = False
    """Composio does not know it (any more)."""
    url: str = ""
    """Where Composio serves it; "" where that is not known."""
    toolkits: Mapping[str, str] = {}
    """The toolkit of each auth config that it requires, where that is known."""


_TOKEN = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_TOKENS = ("slug", "request_id")


class Problem(NamedTuple):
    """Why a call failed, in Composio's words where it said any."""

    message: str
    status: int | None = None
    slug: str | None = None
    suggested_fix: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    """Seconds that Composio asks to wait."""
    enveloped: bool = False
    """The answer was an error of Composio's own, and not, say, the page of a proxy."""

    def loggable(self) -> dict[str, Any]:
        """Return what a log may hold: words only where they are ours.

        Composio's message and suggested fix may name the user, so they are kept in the table, for
        the operator and the application, and never logged.
        """
        told = {name: one for name in _TOKENS if _TOKEN.fullmatch(one := getattr(self, name) or "")}
        words = {"message": self.message} if self.status is None else {"status": self.status}
        return words | told


class Answer(NamedTuple):
    """What came back from create-instance; `status` is None when no answer came."""

    status: int | None
    record: Mapping[str, str] | None = None
    problem: Problem = Problem("no reason given")


class TargetRow(NamedTuple):
    """The row of one (user, target)."""

    user_id: str
    server_id: str
    status: Status
    attempts: int
    """Create calls that were made with what was tried last."""
    claim_token: str
    tried: str = ""
    """The fingerprint of what was tried last."""
    due_at: int | None = None
    forbidden: int = 0
    """How many of the last answers were 403 although nothing is missing."""
    failures: int = 0
    """How many times what was tried last has failed, and since when (Unix seconds)."""
    failed_at: int | None = None
    missing: frozenset[str] = frozenset()
    record: Mapping[str, str] | None = None
    last_error: Mapping[str, Any] | None = None
    url: str = ""
    """Where Composio served the MCP server when the instance was claimed."""

    def claimed_with(self, token: str) -> bool:
        """Whether this claim is the one that holds.

        The row tells: a write that botocore repeats fails on its own first attempt.
        """
        return self.status is Status.CREATING and self.claim_token == token


class Settlement(NamedTuple):
    """How a claim ends; `due_in` is seconds until it is looked at again, or None for never."""

    status: Status
    due_in: int | None = None
    record: Mapping[str, str] | None = None
    missing: frozenset[str] = frozenset()
    problem: Problem | None = None
    forbidden: int = 0
    """As in `TargetRow`, this answer included."""
