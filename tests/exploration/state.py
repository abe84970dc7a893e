"""All that there is besides the table: what a history is a sequence of.

Every field is replaced, never changed in place: a snapshot is a shallow copy.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from handler.events import timestamp
from tests.world import GMAIL, NOW, PROFILE, SERVER, SLACK

SESSION = PROFILE.key.sort_key
VISIBILITY_SECONDS, RECEIVES = 180, 24
"""Of the queue in the template."""


class Fact(NamedTuple):
    """One version of a connected account; `at` are seconds since the start, as `created`."""

    auth: str
    at: int = 0
    status: str = "ACTIVE"
    user: str = "user_1"
    created: int = 0
    number: int = 1
    disabled: bool = False
    """Its auth config is disabled, which leaves the account's own time as it was."""
    bare: bool = False
    """The event about it only names it, as `…activated` may."""

    @property
    def id(self) -> str:
        return f"ca_{self.user}_{self.auth}_{self.number}"

    @property
    def updated_at(self) -> str:
        return moment(self.at)

    def shown(self) -> dict[str, Any]:
        """The account as Composio shows it."""
        return {
            "id": self.id,
            "user_id": self.user,
            "auth_config": {"id": self.auth, "is_disabled": self.disabled},
            "status": self.status,
            "is_disabled": False,
            "created_at": moment(self.created),
            "updated_at": self.updated_at,
        }


type Memory = tuple[Mapping[str, Any], ...]
"""Of one execution environment."""


@cache
def moment(seconds: int) -> str:
    """ISO 8601, as Account has it, of so many seconds after the start."""
    return timestamp(datetime.fromtimestamp(NOW + seconds, UTC))


class Message(NamedTuple):
    """A message of the queue; `fact` is what deleting it acknowledges."""

    id: str
    body: str
    visible_at: float
    receives: int = 0
    fact: Fact | None = None


class Call(NamedTuple):
    """A create call in flight: until its answer, or, of a dead process, until `ends`."""

    pair: tuple[str, str]
    who: str
    ends: float | None = None


@dataclass
class State:
    """One moment."""

    now: float = NOW
    numbers: int = 0
    tokens: Mapping[str, int] = field(default_factory=dict)
    servers: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {SERVER: (GMAIL, SLACK)})
    profile: tuple[str, ...] = ()
    """What the session profile requires, once there is one."""
    sessions: tuple[str, ...] = ()
    """The user of each session that was made, in their order."""
    left_over: int = 0
    """How many of them were counted as perhaps left over."""
    sunset: bool = False
    """Composio answers 410 to all that is about MCP servers."""
    accounts: Mapping[str, Fact] = field(default_factory=dict)
    instances: frozenset[tuple[str, str]] = frozenset()
    calls: tuple[Call, ...] = ()
    posts: tuple[tuple[tuple[str, str], int], ...] = ()
    forbidden: int = 0
    messages: tuple[Message, ...] = ()
    dead: tuple[str, ...] = ()
    late: tuple[tuple[str, Any], ...] = ()
    told: frozenset[tuple[str, str, str]] = frozenset()
    faults: int = 0
    agenda: tuple[Any, ...] = ()
    quiet_from: float = float("inf")
    next_tick: float = NOW
    ticks: int = 0
    page: int = 2
    enrolled: str = SERVER
    """McpServerIds."""
    refusals: int = 0
    """So many create calls are still refused for a reason (422)."""
    full: frozenset[str] = frozenset()
    """Users whose item has no room for another account."""
    odd: float = 0
    """When an answer of Composio was wrong (Unix seconds); of two, absence is believed."""
    refused: bool = False
    """Composio has refused a create call in its own form."""
    memories: Mapping[tuple[str, str], Memory] = field(default_factory=dict)

    def number(self) -> int:
        """Return a number that was not there before."""
        self.numbers += 1
        return self.numbers

    def users(self) -> set[str]:
        """Everybody who has an account, and room for it."""
        return {fact.user for fact in self.accounts.values()} - self.full

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Every user with every server."""
        return ((user, server) for user in sorted(self.users()) for server in self.servers)

    def is_about_the_full(self, body: str) -> bool:
        """Whether a message can only be set aside."""
        return any(user in body for user in self.full)

    def lacking(self, user: str, server: str) -> set[str]:
        """What Composio itself misses of this user for this server."""
        return self.without(user, self.servers[server])

    def without(self, user: str, needs: Collection[str]) -> set[str]:
        """What of this the user has no active account for."""
        active = {
            fact.auth
            for fact in self.accounts.values()
            if fact.user == user and fact.status == "ACTIVE" and not fact.disabled
        }
        return set(needs) - active

    def complete(self, user: str, server: str) -> bool:
        """Whether the user has all that the server requires."""
        return not self.lacking(user, server)

    def acknowledge(self, fact: Fact, known: Collection[str]) -> None:
        """Somebody was told that the fact is safe; of no use are those that no server requires.

        Nor, yet, those that no server was `known` to require when it was told of: whoever learns
        that one does has all accounts read at Composio.
        """
        every = (*self.servers.values(), self.profile)
        if fact.auth in known and any(fact.auth in needs for needs in every):
            # The future counts as the time of the read.
            self.told |= {
                (fact.user, fact.id, fact.updated_at if fact.at <= self.now - NOW else "")
            }

    def visible(self) -> list[Message]:
        """Return what the queue would hand out."""
        return [one for one in self.messages if one.visible_at <= self.now]

    def receive(self, batch: int) -> list[Message]:
        """Hand out so many messages at most; what was handed out too often is dead."""
        poison = [one for one in self.visible() if one.receives >= RECEIVES]
        self.dead += tuple(one.body for one in poison)
        self.messages = tuple(one for one in self.messages if one not in poison)
        taken = {one.id for one in self.visible()[:batch]}
        hidden = self.now + VISIBILITY_SECONDS
        self.messages = tuple(
            one._replace(receives=one.receives + 1, visible_at=hidden) if one.id in taken else one
            for one in self.messages
        )
        return [one for one in self.messages if one.id in taken]
