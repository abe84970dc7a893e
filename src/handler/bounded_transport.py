"""A transport for httpx that bounds a whole call.

httpx bounds each connect, write and read, so an answer that comes a byte at a time takes for ever,
and a look-up of the name is not bounded at all. Imported with httpx, when the first call is due.
"""

import queue
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

TOTAL = "total"
"""Name of the extension of a request that holds the most seconds for all of it."""


class BoundedTransport(httpx.BaseTransport):
    """Makes each call in a thread that nobody waits for longer than the time allows.

    `make` returns a transport; each has one call at a time, and so one connection.
    """

    def __init__(self, make: Callable[[], httpx.BaseTransport]) -> None:
        self.make = make
        self._idle = [_Connection(make())]  # what it imports is imported now

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, read to its end.

        Raises:
            httpx.ReadTimeout: It has not come to its end within the time. Nothing is sent from
                then on, and the connection is given up.
            httpx.TransportError: As the inner transport raises it.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = _Connection(self.make())
        came = queue.SimpleQueue[httpx.Response | Exception]()
        threading.Thread(target=connection.send, args=(request, came), daemon=True).start()
        try:
            answer = came.get(timeout=request.extensions[TOTAL])
        except queue.Empty:
            connection.abandon()
            raise httpx.ReadTimeout("the answer did not end in time", request=request) from None
        self._idle.append(connection)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Close the connections."""
        for connection in self._idle:
            connection.transport.close()


@dataclass(eq=False)
class _Connection:
    """A transport, the stream that it last opened, and whether it is given up."""

    transport: httpx.BaseTransport
    _stream: Any = None
    _abandoned: bool = False

    def send(
        self, request: httpx.Request, came: "queue.SimpleQueue[httpx.Response | Exception]"
    ) -> None:
        """Make the call, and put into the queue what came of it."""
        request.extensions["trace"] = self._trace
        try:
            answer = self.transport.handle_request(request)
            try:
                body = httpx.ByteStream(b"".join(answer.stream))  # type: ignore[arg-type]
            finally:
                answer.close()
            came.put(httpx.Response(answer.status_code, headers=answer.headers, stream=body))
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is waited for
            came.put(error)

    def abandon(self) -> None:
        """End the call where it waits; closing it is the business of the thread that uses it.

        Until then its number must not become another connection's.
        """
        self._abandoned = True
        if self._stream is not None:
            with suppress(OSError):  # it has ended, or TLS is about to begin
                socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """See each step of httpcore (encode.io/httpcore/extensions, "trace")."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._stream = info["return_value"]
        elif event == "http11.send_request_headers.started" and self._abandoned:
            raise httpx.RequestError("nobody waits for this call any more")
