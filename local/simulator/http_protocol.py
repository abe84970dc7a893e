"""Uvicorn's HTTP protocol, changed so that a call can lose its answer.

A lost answer is a connection that ends without one; no ASGI message expresses that.
"""

import asyncio
import time
from dataclasses import dataclass

from uvicorn.protocols.http.h11_impl import H11Protocol

from local.simulator.clock import iso, wall_clock
from local.simulator.ledger import Entry


@dataclass(slots=True)
class Connection:
    """One TCP connection, and the ledger's entry of the call that it carried last."""

    transport: asyncio.Transport
    entry: Entry | None = None


class HttpProtocol(H11Protocol):
    """Gives each request its `Connection`, as `connection` in the ASGI state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the connection."""
        self.carrier = Connection(transport)
        self.app_state = {**self.app_state, "connection": self.carrier}
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the call under way: a caller that hung up no longer waits for it."""
        if self.carrier.entry is not None:
            finish(self.carrier.entry)
        super().connection_lost(exc)


def finish(entry: Entry) -> None:
    """Write the end of a call into its entry, once."""
    if entry.ended is None:
        entry.ended, entry.ended_at = time.monotonic(), iso(wall_clock())
