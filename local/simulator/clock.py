"""Time and identity: what is different on every run."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import uuid4


def wall_clock() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def random_id(prefix: str) -> str:
    """Return a new id: twelve characters after `ca_` and the like, a UUID after "" and `msg_`."""
    if prefix in {"", "msg_"}:
        return f"{prefix}{uuid4()}"
    return f"{prefix}{secrets.token_hex(6)}"


def iso(moment: datetime) -> str:
    """Format a UTC time as Composio does, always with microseconds and a `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Clock:
    """A clock that can be moved forward, and whose ticks are all different.

    Different ticks make `updated_at` move on every change, however coarse the system's clock is.
    """

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._last = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Return this clock's time."""
        return wall_clock() + self._ahead

    def tick(self) -> datetime:
        """Return a time later than every earlier tick."""
        self._last = max(self.now(), self._last + timedelta(microseconds=1))
        return self._last

    def advance(self, seconds: float) -> None:
        """Move this clock forward."""
        self._ahead += timedelta(seconds=seconds)
