"""What `doctor` looks at, and what it says, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from handler.values import Server
from provisioner.errors import Trouble
from provisioner.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `ok`, `note` (works, but know it) or `bad`, and what to do about it."""

    check: str
    level: Literal["ok", "note", "bad"]
    said: str
    remedy: str = ""


class Swept(NamedTuple):
    """What the sweep has last done, in seconds before now."""

    began: int
    """The last pass that reached its end began."""
    at_work: int
    """A pass was under way; less than 0 while one is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found; a fact that could not be had is the trouble, with what to do about it.

    Times are Unix seconds, offsets are seconds ahead of this machine.
    """

    webhook_url: str
    has_api_key: bool | Trouble
    webhook_secrets: tuple[str, ...]
    composio: str
    """Why Composio cannot be asked anything; "" where it can."""
    key_rejected: bool
    servers: Mapping[str, Server] | Trouble
    accounts: bool | Trouble
    """Whether any connected account is active: the sweep reads them."""
    auth_configs: frozenset[str] | Trouble
    subscription: Subscription | Trouble | None
    offered: tuple[str, ...] | Trouble
    queued: int | Trouble
    worker_takes: bool | Trouble
    dead: int | Trouble
    schedule: bool | Trouble
    swept: Swept | Trouble | None
    clocks: Mapping[str, float]
    """Those that could be read."""
    deprecated: Mapping[str, str] | Trouble
    """By endpoint, what its headers say."""
