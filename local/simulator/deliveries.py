"""Sends webhooks: signs them, and repeats what is not acknowledged."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import httpx

from local.simulator.options import Options
from local.simulator.signing import sign
from local.simulator.webhook_events import Event

_MOST_RECORDS = 100_000
_LONGEST_ANSWER = 2_000
# For each step of a delivery; to wait for one of our own connections takes as long as it takes.
_TIMEOUT = httpx.Timeout(30, pool=None)


class Destination(NamedTuple):
    """Where an event goes and what signs it; looked up again for each attempt."""

    url: str
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery attempt; without a `status` it ended in `error`.

    `answer` is the beginning of the receiver's body.
    """

    webhook_id: str
    account_id: str
    status: int | None
    error: str | None
    answer: str


class Deliveries:
    """The outgoing side, on one event loop. Proxies of the environment are not used."""

    def __init__(
        self,
        options: Callable[[], Options],
        destination: Callable[[str], Destination | None],
    ) -> None:
        self._options = options
        self._destination = destination
        self._client = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=100))
        self._tasks: set[asyncio.Task[None]] = set()
        self._sent: dict[str, Event] = {}
        self.attempts: deque[Attempt] = deque(maxlen=_MOST_RECORDS)

    async def stop(self) -> None:
        """Give up all deliveries and close the HTTP client."""
        self.reset()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def reset(self) -> None:
        """Give up what is being delivered and forget what was sent."""
        for task in self._tasks:
            task.cancel()
        self._sent.clear()
        self.attempts.clear()

    @property
    def pending(self) -> int:
        """How many events are being delivered."""
        return len(self._tasks)

    def send(self, event: Event) -> None:
        """Begin to deliver an event."""
        self._sent[event.id] = event
        if len(self._sent) > _MOST_RECORDS:
            self._sent.pop(next(iter(self._sent)))
        task = asyncio.get_running_loop().create_task(self._deliver(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def send_again(self, webhook_id: str) -> bool:
        """Deliver an earlier event once more: same id and body. False when it is not known."""
        event = self._sent.get(webhook_id)
        if event is not None:
            self.send(event)
        return event is not None

    async def _deliver(self, event: Event) -> None:
        attempt = 1
        while (destination := self._destination(event.type)) is not None:
            if await self._try(event, destination, attempt):
                return
            options = self._options()
            if attempt > options.webhook_retries:
                return
            await asyncio.sleep(options.webhook_backoff * 2 ** (attempt - 1))
            attempt += 1

    async def _try(self, event: Event, destination: Destination, attempt: int) -> bool:
        status, error, text = None, None, ""
        try:
            answer = await self._client.post(
                destination.url,
                content=event.body,
                headers=_headers(event, destination.secrets, attempt),
                timeout=_TIMEOUT,
            )
            status, text = answer.status_code, answer.text[:_LONGEST_ANSWER]
        except httpx.HTTPError as problem:
            error = type(problem).__name__
        self.attempts.append(Attempt(event.id, event.account_id, status, error, text))
        return status is not None and httpx.codes.is_success(status)


def _headers(event: Event, secrets: tuple[str, ...], attempt: int) -> dict[str, str]:
    """Build the headers of one attempt (API reference, Webhook events)."""
    timestamp = int(time.time())
    return {
        "content-type": "application/json",
        "webhook-id": event.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secrets, event.id, timestamp, event.body),
        "x-composio-webhook-version": "V3",
        "x-composio-delivery-attempt": str(attempt),
    }
