"""Sends webhooks: signs, repeats, duplicates and reorders as the switches say."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple

import httpx

from local.simulator.events import Event
from local.simulator.moment import iso, wall_clock
from local.simulator.signature import sign
from local.simulator.switches import Switches

_MOST_RECORDS = 100_000
_LONGEST_ANSWER = 2_000
# For each step of a delivery; to wait for one of our own connections takes as long as it takes.
_TIMEOUT = httpx.Timeout(30, pool=None)


class Route(NamedTuple):
    """Where an event goes and what signs it; resolved anew for each attempt."""

    url: str
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One delivery attempt; without a `status` it ended in `error`.

    `answer` is the beginning of what the receiver said.
    """

    webhook_id: str
    type: str
    account_id: str
    copy: int
    attempt: int
    status: int | None
    error: str | None
    answer: str
    started_at: str
    ended_at: str


class Deliveries:
    """The outgoing side, on one event loop. Proxies of the environment are not used."""

    def __init__(
        self, switches: Callable[[], Switches], route: Callable[[str], Route | None]
    ) -> None:
        self._switches = switches
        self._route = route
        self._client = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=100))
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: list[Event] = []
        self._flush: asyncio.TimerHandle | None = None
        self._sent: dict[str, Event] = {}
        self.attempts: deque[Attempt] = deque(maxlen=_MOST_RECORDS)

    async def stop(self) -> None:
        """Give up all deliveries and close the HTTP client."""
        self.reset()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def reset(self) -> None:
        """Give up what is on its way and forget what was sent."""
        for task in self._tasks:
            task.cancel()
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        self._held.clear()
        self._sent.clear()
        self.attempts.clear()

    @property
    def pending(self) -> int:
        """How many events are held back or on their way."""
        return len(self._held) + len(self._tasks)

    def post(self, event: Event) -> None:
        """Send an event soon; with `webhook_reorder` n, n events leave in reverse order."""
        self._sent[event.id] = event
        if len(self._sent) > _MOST_RECORDS:
            self._sent.pop(next(iter(self._sent)))
        self._held.append(event)
        switches = self._switches()
        if len(self._held) >= switches.webhook_reorder:
            self._release()
        elif self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(switches.webhook_hold, self._release)

    def again(self, webhook_id: str) -> bool:
        """Deliver an earlier event once more: same id and body. False when unknown."""
        event = self._sent.get(webhook_id)
        if event is not None:
            self.post(event)
        return event is not None

    def shown(self) -> object:
        """Shape the answer of `GET /_control/deliveries`."""
        return {"pending": self.pending, "attempts": [asdict(each) for each in self.attempts]}

    def _release(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        held, self._held = self._held, []
        for event in reversed(held):
            for copy in range(self._switches().webhook_copies):
                task = asyncio.get_running_loop().create_task(self._deliver(event, copy + 1))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _deliver(self, event: Event, copy: int) -> None:
        attempt = 1
        while (route := self._route(event.type)) is not None:
            if await self._try(event, route, copy, attempt):
                return
            switches = self._switches()
            if attempt > switches.webhook_retries:
                return
            await asyncio.sleep(switches.webhook_backoff * 2 ** (attempt - 1))
            attempt += 1

    async def _try(self, event: Event, route: Route, copy: int, attempt: int) -> bool:
        started_at = iso(wall_clock())
        status, error, said = None, None, ""
        try:
            answer = await self._client.post(
                route.url,
                content=event.body,
                headers=_headers(event, route.secrets, attempt, self._switches().webhook_skew),
                timeout=_TIMEOUT,
            )
            status, said = answer.status_code, answer.text[:_LONGEST_ANSWER]
        except httpx.HTTPError as problem:
            error = type(problem).__name__
        self.attempts.append(
            Attempt(
                webhook_id=event.id,
                type=event.type,
                account_id=event.account_id,
                copy=copy,
                attempt=attempt,
                status=status,
                error=error,
                answer=said,
                started_at=started_at,
                ended_at=iso(wall_clock()),
            )
        )
        return status is not None and httpx.codes.is_success(status)


def _headers(event: Event, secrets: tuple[str, ...], attempt: int, skew: int) -> dict[str, str]:
    """Build the headers of one attempt (API reference, Webhook events)."""
    timestamp = int(time.time()) + skew
    return {
        "content-type": "application/json",
        "webhook-id": event.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secrets, event.id, timestamp, event.body),
        "x-composio-webhook-version": "V3",
        "x-composio-delivery-attempt": str(attempt),
    }
