"""One moment of the world outside the table; a history is a sequence of them.

Fields are replaced and never changed in place, so that a snapshot is a shallow copy.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from handler.events import timestamp
from tests.world import GMAIL, NOW, PROFILE, SERVER, SLACK

SESSION = PROFILE.key.sort_key
VISIBILITY_SECONDS, MAX_RECEIVES = 180, 24
"""The settings of the queue in template.yaml."""


class Fact(NamedTuple):
    """One version of a connected account; `at` and `created` are seconds since the start."""

    auth: str
    at: int = 0
    status: str = "ACTIVE"
    user: str = "user_1"
    created: int = 0
    number: int = 1
    disabled: bool = False
    """Whether its auth config is disabled, which does not change its `updated_at`."""
    bare: bool = False
    """Whether its event has only the id of the account, as `…activated` may."""

    @property
    def id(self) -> str:
        return f"ca_{self.user}_{self.auth}_{self.number}"

    @property
    def updated_at(self) -> str:
        return iso_time(self.at)

    def shown(self) -> dict[str, Any]:
        """The account as Composio shows it."""
        return {
            "id": self.id,
            "user_id": self.user,
            "auth_config": {"id": self.auth, "is_disabled": self.disabled},
            "status": self.status,
            "is_disabled": False,
            "created_at": iso_time(self.created),
            "updated_at": self.updated_at,
        }


type Memory = tuple[Mapping[str, Any], ...]
"""What one execution environment keeps in memory."""


@cache
def iso_time(seconds: int) -> str:
    """Return the time this many seconds after the start, as ISO 8601."""
    return timestamp(datetime.fromtimestamp(NOW + seconds, UTC))


class Message(NamedTuple):
    """A message of the queue; `fact` is what deleting it acknowledges."""

    id: str
    body: str
    visible_at: float
    receives: int = 0
    fact: Fact | None = None


class Call(NamedTuple):
    """A create call in flight, until its answer or, if its process died, until `ends`."""

    pair: tuple[str, str]
    who: str
    ends: float | None = None


@dataclass
class State:
    """Composio, the queue, the clock, and what has been seen so far."""

    now: float = NOW
    numbers: int = 0
    """How many message ids have been given out."""
    tokens: Mapping[str, int] = field(default_factory=dict)
    servers: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {SERVER: (GMAIL, SLACK)})
    profile: tuple[str, ...] = ()
    """The auth configs that the session profile requires; none before there is one."""
    sessions: tuple[str, ...] = ()
    """The user of each session created, in order."""
    left_over: int = 0
    """How many sessions the handler has counted as possibly left over."""
    sunset: bool = False
    """Composio answers 410 to every call about MCP servers."""
    accounts: Mapping[str, Fact] = field(default_factory=dict)
    instances: frozenset[tuple[str, str]] = frozenset()
    creates_in_flight: tuple[Call, ...] = ()
    create_counts: tuple[tuple[tuple[str, str], int], ...] = ()
    rejected_creates: int = 0
    """Create calls answered with an error that is no fault: nothing was created."""
    messages: tuple[Message, ...] = ()
    dead_letters: tuple[str, ...] = ()
    late_writes: tuple[tuple[str, Any], ...] = ()
    """Writes that timed out and may still be applied."""
    acknowledged: frozenset[tuple[str, str, str]] = frozenset()
    """User, account and `updated_at` of every fact that a sender was told is stored."""
    faults: int = 0
    pending_steps: tuple[Any, ...] = ()
    steps_done_at: float = float("inf")
    """When the last step of the plan was taken; a sweep must follow."""
    next_tick: float = NOW
    ticks: int = 0
    page: int = 2
    enrolled: str = SERVER
    """The parameter McpServerIds."""
    refusals: int = 0
    """How many more create calls Composio refuses (422)."""
    full_users: frozenset[str] = frozenset()
    """Users whose item has no room for another account."""
    odd_answer_at: float = 0
    """When Composio last gave a wrong answer (Unix seconds); 0 if it never has."""
    refused: bool = False
    """Composio has refused a create call in its own envelope, so a target may be `failed`."""
    memories: Mapping[tuple[str, str], Memory] = field(default_factory=dict)

    def number(self) -> int:
        """Return a number that has not been used."""
        self.numbers += 1
        return self.numbers

    def users(self) -> set[str]:
        """Users with an account, except those whose item is full."""
        return {fact.user for fact in self.accounts.values()} - self.full_users

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Every user with every server."""
        return ((user, server) for user in sorted(self.users()) for server in self.servers)

    def concerns_full_user(self, body: str) -> bool:
        """Whether a message cannot be handled because the user's item is full."""
        return any(user in body for user in self.full_users)

    def missing_for(self, user: str, server: str) -> set[str]:
        """The auth configs that the server requires and the user has not connected."""
        return self.missing(user, self.servers[server])

    def missing(self, user: str, needs: Collection[str]) -> set[str]:
        """Those of `needs` for which the user has no active account."""
        active = {
            fact.auth
            for fact in self.accounts.values()
            if fact.user == user and fact.status == "ACTIVE" and not fact.disabled
        }
        return set(needs) - active

    def complete(self, user: str, server: str) -> bool:
        """Whether the user has all that the server requires."""
        return not self.missing_for(user, server)

    def acknowledge(self, fact: Fact, known: Collection[str]) -> None:
        """Note that the sender was told that the fact is stored.

        Facts that no target requires do not count. Neither do those that nothing in `known`
        required at that time: the back-fill of the target that does reads them at Composio.
        """
        every = (*self.servers.values(), self.profile)
        if fact.auth in known and any(fact.auth in needs for needs in every):
            # A time in the future counts as the time of the read.
            self.acknowledged |= {
                (fact.user, fact.id, fact.updated_at if fact.at <= self.now - NOW else "")
            }

    def visible(self) -> list[Message]:
        """Return the messages that can be received now."""
        return [one for one in self.messages if one.visible_at <= self.now]

    def receive(self, batch: int) -> list[Message]:
        """Receive up to `batch` messages; those received too often become dead letters."""
        poison = [one for one in self.visible() if one.receives >= MAX_RECEIVES]
        self.dead_letters += tuple(one.body for one in poison)
        self.messages = tuple(one for one in self.messages if one not in poison)
        taken = {one.id for one in self.visible()[:batch]}
        hidden = self.now + VISIBILITY_SECONDS
        self.messages = tuple(
            one._replace(receives=one.receives + 1, visible_at=hidden) if one.id in taken else one
            for one in self.messages
        )
        return [one for one in self.messages if one.id in taken]
