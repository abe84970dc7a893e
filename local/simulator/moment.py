"""Time and identity: what differs each time."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import uuid4


def wall_clock() -> datetime:
    """Return the present in UTC."""
    return datetime.now(UTC)


def random_id(prefix: str) -> str:
    """Draw an id: `ca_` and its like get twelve characters, an empty prefix gets a UUID."""
    if prefix in {"", "msg_"}:
        return f"{prefix}{uuid4()}"
    return f"{prefix}{secrets.token_hex(6)}"


def iso(moment: datetime) -> str:
    """Write a UTC moment as Composio does, always with microseconds and a `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Ticker:
    """A clock that can be moved forward and that never gives the same moment twice.

    Distinct moments keep `updated_at` moving on every change, however coarse the clock is.
    """

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._last = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Return the present of this ticker without consuming a moment."""
        return wall_clock() + self._ahead

    def tick(self) -> datetime:
        """Return a moment that is later than every earlier one."""
        self._last = max(self.now(), self._last + timedelta(microseconds=1))
        return self._last

    def advance(self, seconds: float) -> None:
        """Move ahead of the underlying clock by so many seconds more."""
        self._ahead += timedelta(seconds=seconds)
