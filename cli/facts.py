"""What `doctor` looks at, and what it says, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cli.subscription import Subscription
from handler.instances import Server


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `ok`, `note` (works, but know it) or `bad`, and what to do about it."""

    check: str
    level: Literal["ok", "note", "bad"]
    said: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found; a fact that could not be had is a `str` that says why.

    Times are Unix seconds, offsets are seconds ahead of this machine.
    """

    webhook_url: str
    has_api_key: bool | str
    webhook_secrets: tuple[str, ...]
    composio: str
    """Why Composio cannot be asked anything; "" where it can."""
    key_rejected: bool
    servers: Mapping[str, Server] | str
    auth_configs: frozenset[str] | str
    subscription: Subscription | str | None
    offered: tuple[str, ...] | str
    queued: int | str
    worker_takes: bool | str
    dead: int | str
    schedule: bool | str
    swept_ago: int | str | None
    clocks: Mapping[str, float]
    deprecated: Mapping[str, str] | str
    """By endpoint, what its headers say."""
