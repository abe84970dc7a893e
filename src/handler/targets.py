"""The values that the modules share: targets, their rows, answers of Composio, settlements."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Self


class Status(StrEnum):
    """Status of a target of a user: the same word in table, log and answer."""

    WAITING = "waiting"
    CREATING = "creating"
    READY = "ready"
    RETRYING = "retrying"
    FAILED = "failed"


OPEN = frozenset({"INITIALIZING", "INITIATED"})
"""The statuses of an account that its user may be connecting just now."""

OUTCOMES = (Status.READY, Status.FAILED)
"""The statuses that are told on the event bus."""


class Kind(StrEnum):
    """What is provisioned: an instance of an MCP server, or a session of a session profile.

    The value is the name in lower case: sort keys have the name, applications see the value.
    """

    INSTANCE = "instance"
    SESSION = "session"


class TargetId(NamedTuple):
    """Which target it is; `name` is the id of an MCP server, or the name of a session profile."""

    kind: Kind
    name: str

    @property
    def sort_key(self) -> str:
        """The sort key of the target's row of a user, by which messages and logs name it, too."""
        return f"{self.kind.name}#{self.name}"

    @property
    def field(self) -> str:
        """The field in which the application names it, and is told its name."""
        return "server_id" if self.kind is Kind.INSTANCE else "profile"

    @property
    def told(self) -> dict[str, str]:
        """What the application is told of it."""
        return {"kind": self.kind.value, self.field: self.name}

    @classmethod
    def of(cls, sort_key: str) -> Self:
        """Read a sort key.

        Raises:
            ValueError: It is not that of a target.
        """
        kind, _, name = sort_key.partition("#")
        return cls(Kind(kind.lower()), name)


class Target(NamedTuple):
    """What is provisioned for each user, and the auth configs that it requires of one."""

    id: str
    """The id of an MCP server, or the name of a session profile."""
    required: frozenset[str]
    name: str = ""
    gone: bool = False
    """Composio does not know it (any more)."""
    url: str = ""
    """Where Composio serves it; "" where that is not known."""
    toolkits: Mapping[str, str] = {}
    """The toolkit of each auth config that it requires; of an MCP server, where it is known."""
    kind: Kind = Kind.INSTANCE
    create: Mapping[str, Any] = {}
    """Further fields with which a session is made, as the operator gave them."""

    @property
    def key(self) -> TargetId:
        """Which target it is."""
        return TargetId(self.kind, self.id)

    def session_body(self, user_id: str) -> dict[str, Any]:
        """Return the body with which a session of this profile is made."""
        auth_configs = {toolkit: auth_config for auth_config, toolkit in self.toolkits.items()}
        toolkits = {"enable": sorted(auth_configs)}
        own = {"user_id": user_id, "toolkits": toolkits, "auth_configs": auth_configs}
        return {**self.create, **own}


def session_profile(name: str, toolkits: Mapping[str, str], create: Mapping[str, Any]) -> Target:
    """Return a session profile: the toolkit of each auth config that it requires, and the rest."""
    required = frozenset(toolkits)
    return Target(name, required, name, toolkits=toolkits, kind=Kind.SESSION, create=create)


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
    """What came back from a create call; `status` is None when no answer came."""

    status: int | None
    record: Mapping[str, Any] | None = None
    url: str = ""
    """Where Composio serves what was created, as far as the answer says it."""
    problem: Problem = Problem("no reason given")


class TargetRow(NamedTuple):
    """The row of one (user, target)."""

    user_id: str
    target: TargetId
    status: Status
    attempts: int
    """Create calls that were made with what was tried last."""
    claim_token: str
    tried: str = ""
    """The fingerprint of what was tried last."""
    due_at: int | None = None
    forbidden: int = 0
    """How many of the last answers were 403 although nothing is missing, or were no session."""
    failures: int = 0
    """How many times what was tried last has failed, and since when (Unix seconds)."""
    failed_at: int | None = None
    missing: frozenset[str] = frozenset()
    record: Mapping[str, Any] | None = None
    last_error: Mapping[str, Any] | None = None
    url: str = ""
    """Where Composio serves the session, or served the MCP server when the claim was made."""
    interrupted: bool = False
    """The claim before this one was never settled: its call may have created something."""

    def claimed_with(self, token: str) -> bool:
        """Whether this claim is the one that holds.

        The row tells: a write that botocore repeats fails on its own first attempt.
        """
        return self.status is Status.CREATING and self.claim_token == token


class Settlement(NamedTuple):
    """How a claim ends; `due_in` is seconds until it is looked at again, or None for never."""

    status: Status
    due_in: int | None = None
    record: Mapping[str, Any] | None = None
    url: str = ""
    """As in `Answer`."""
    missing: frozenset[str] = frozenset()
    problem: Problem | None = None
    forbidden: int = 0
    """As in `TargetRow`, this answer included."""
