"""What `doctor` collects, and what it concludes, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from handler.values import Target
from provisioner.activity import Swept
from provisioner.errors import Trouble
from provisioner.subscription import Subscription

type Level = Literal["ok", "note", "error"]
"""`note` is what works, and should be known nevertheless."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report, and what to do about it."""

    check: str
    level: Level
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found. A fact that could not be read is the Trouble that says why.

    Times are Unix seconds, offsets are seconds ahead of this machine.
    """

    webhook_url: str
    has_api_key: bool | Trouble
    webhook_secrets: tuple[str, ...]
    secret_flaws: tuple[str, ...]
    """Which entries of the secret the functions do not use, and why."""
    composio: str
    """Why Composio cannot be asked anything; "" if it can."""
    key_rejected: bool
    servers: Mapping[str, Target] | Trouble
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
    """The clocks that could be read, by whose they are."""
    deprecated: Mapping[str, str] | Trouble
    """By endpoint, what its headers say."""
