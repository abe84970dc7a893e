"""A transport for httpx that bounds a whole call.

httpx bounds each connect, write and read, so an answer that comes a byte at a time takes for ever,
and a look-up of the name is not bounded at all. Imported with httpx, when the first call is due.
"""

import queue
import threading
from dataclasses import dataclass

import httpx

TOTAL = "total"
"""Name of the extension of a request that holds the most seconds for all of it."""


@dataclass(eq=False)
class BoundedTransport(httpx.BaseTransport):
    """Sends through `inner`, in a thread that nobody waits for longer than the time allows."""

    inner: httpx.BaseTransport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, read to its end.

        Raises:
            httpx.ReadTimeout: It has not come to its end within the time.
            httpx.TransportError: As the inner transport raises it.
        """
        came = queue.SimpleQueue[httpx.Response | Exception]()
        thread = threading.Thread(target=self._send, args=(request, came), daemon=True)
        thread.start()
        try:
            answer = came.get(timeout=request.extensions[TOTAL])
        except queue.Empty:
            raise httpx.ReadTimeout("the answer did not end in time", request=request) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Close the connections."""
        self.inner.close()

    def _send(
        self, request: httpx.Request, came: "queue.SimpleQueue[httpx.Response | Exception]"
    ) -> None:
        try:
            answer = self.inner.handle_request(request)
            try:
                body = httpx.ByteStream(b"".join(answer.stream))  # type: ignore[arg-type]
            finally:
                answer.close()
            came.put(httpx.Response(answer.status_code, headers=answer.headers, stream=body))
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is waited for
            came.put(error)
