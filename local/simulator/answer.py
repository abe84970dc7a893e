"""The sending half of an API call, and how an answer gets lost on the way."""

import asyncio
import time
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from local.simulator.ledger import Entry
from local.simulator.moment import iso, wall_clock


class Wire(H11Protocol):
    """Uvicorn's HTTP protocol that lets a request cut its own connection.

    A lost answer is a connection that ends without one; no ASGI message says that.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Hand the connection to the requests through the ASGI state."""
        self.cable = Cable(transport)
        self.app_state = {**self.app_state, "cable": self.cable}
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the call under way: a caller that hung up waits no longer."""
        if self.cable.entry is not None:
            finish(self.cable.entry)
        super().connection_lost(exc)


@dataclass(slots=True)
class Cable:
    """One TCP connection and the call that it last carried."""

    transport: asyncio.Transport
    entry: Entry | None = None


def finish(entry: Entry) -> None:
    """Write the end of a call into its entry, once."""
    if entry.ended is None:
        entry.ended, entry.ended_at = time.monotonic(), iso(wall_clock())


class Answer:
    """The sending half of one call: adds headers, delays, or swallows everything."""

    def __init__(self, entry: Entry, cable: Cable, receive: Receive, send: Send) -> None:
        self.entry = entry
        self.cable = cable
        cable.entry = entry
        self.receive = receive
        self.headers: dict[str, str] = {"x-request-id": entry.request_id}
        self.delay = 0.0
        self.lost = False
        self._send = send

    async def send(self, message: Message) -> None:
        """Pass on an ASGI message, as ASGI's `send`."""
        await self.swallow(message)
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(self.headers)
            await asyncio.sleep(self.delay)
            if not self.lost and self.entry.ended is None:
                self.entry.status = message["status"]
        if not self.lost:
            await self._send(message)

    async def swallow(self, message: Message) -> None:
        """Take note of an answer that nobody gets, as ASGI's `send`."""
        if message["type"] == "http.response.start" and self.entry.carried_out is None:
            self.entry.carried_out = message["status"]

    async def cut(self) -> None:
        """End the connection without an answer."""
        self.cable.transport.abort()
        while (await self.receive())["type"] != "http.disconnect":
            pass
