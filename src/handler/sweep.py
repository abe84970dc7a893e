"""Catches up with whatever was missed, each minute, in three parts.

- due: instances whose lease or retry time has passed go to the queue, one message each.
- recent: accounts that have turned ACTIVE lately are read at Composio and taken like any event,
  so that an event that was never sent is not missed either.
- catalog: a server that is new, or requires something else, has its users back-filled.

Each part survives the failure of the others, stays inside the time, and hands the rest on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from handler.catalog import Catalog
from handler.catalog_table import CatalogTable
from handler.composio import Composio
from handler.decisions import LEASE_SECONDS
from handler.events import ConnectedAccount
from handler.paging import Place
from handler.provisioning import Provisioning
from handler.queue import Queue
from handler.telemetry import Metric, count, logger, took
from handler.transport import CALL_SECONDS
from handler.user_table import UserTable

MOST_QUEUED = 3000
"""With so many messages in the queue, no more instances are sent there: that is the pace."""

OVERLAP_SECONDS = 900
"""A link dies after 10 minutes (Composio's KB, "Connected accounts"), so an account turns ACTIVE
within 10 minutes of its creation or never; the rest is for clocks that differ."""


@dataclass(eq=False)
class Sweep:
    """Runs the parts; `clock` is Unix seconds, `token` unique.

    Deadlines are Unix times to be back at.
    """

    user_table: UserTable
    catalog_table: CatalogTable
    composio: Composio
    catalog: Catalog
    provisioning: Provisioning
    queue: Queue
    clock: Callable[[], float]
    token: Callable[[], str]

    def run(self, *, deadline: float) -> None:
        """Run the three parts, each whatever became of the others, and in its share of the time."""
        parts = (self._due, self._catalog_part, self._recent)
        for done, part in enumerate(parts):
            share = (deadline - self.clock()) / (len(parts) - done)
            try:
                part(self.clock() + share)
            except Exception:  # noqa: BLE001 - it runs again in a minute
                logger.exception("a part of the sweep failed", part=part.__name__.strip("_"))
                count(Metric.SWEEP_FAILED)
        count(Metric.SWEEP_RUN)

    def read_recent(self, cursor: str, *, floor: int, until: int, deadline: float) -> None:
        """Take the accounts from this page back to the floor, then set the watermark.

        Args:
            cursor: The page to begin with; "" is the newest.
            floor: Unix seconds; accounts created before are left alone.
            until: Unix seconds at which the reading of the newest page began: the watermark.
            deadline: The Unix time to be back at; the rest is handed on as a message.
        """
        for page, account in self._active(cursor, None, deadline):
            if account.created_at and account.created_at.timestamp() < floor:
                break
            if self._out_of_time(deadline):
                self.catalog_table.keep_recent(now=int(self.clock()), lease=LEASE_SECONDS)
                task = {"task": "recent", "cursor": page, "floor": floor, "until": until}
                self.queue.send([task])
                return
            self._reconcile(account, deadline)
        self.catalog_table.advance(until)

    def backfill(self, server_id: str, *, deadline: float) -> None:
        """Take the accounts that matter to an MCP server, from where it was left.

        Nothing is done where somebody else is at it, or where it is done.
        """
        now, token = int(self.clock()), self.token()
        cursor = self.catalog_table.begin_backfill(
            server_id, token=token, now=now, lease=LEASE_SECONDS
        )
        if cursor is None:
            return
        # What is in memory may be older than the change that is back-filled.
        self.catalog.forget()
        required = self.catalog.server(server_id, deadline=deadline).required
        found = self._active(cursor, required, deadline)
        for page, account in found:
            if self._out_of_time(deadline):
                self.catalog_table.leave_backfill(server_id, page, token=token)
                self.queue.send([{"task": "backfill", "server_id": server_id}])
                return
            self._reconcile(account, deadline)
        self.catalog_table.leave_backfill(server_id, None, token=token)

    def _due(self, _: float) -> None:
        pending = self.user_table.due(MOST_QUEUED)
        now = int(self.clock())
        count(Metric.TARGETS_PENDING, len(pending))
        took(Metric.OLDEST_DUE_AGE, now - min((at for *_, at in pending), default=now))
        room = max(MOST_QUEUED - self.queue.depth(), 0)
        self.queue.send(
            {"task": "due", "user_id": user_id, "server_id": server_id}
            for user_id, server_id, at in pending[:room]
            if at <= now
        )

    def _catalog_part(self, deadline: float) -> None:
        self.catalog.refresh(deadline=deadline)
        servers = sorted(self.catalog.backfills())
        self.queue.send({"task": "backfill", "server_id": one} for one in servers)

    def _recent(self, deadline: float) -> None:
        now = int(self.clock())
        watermark = self.catalog_table.begin_recent(
            now=now, start=now - OVERLAP_SECONDS, lease=LEASE_SECONDS
        )
        if watermark is not None:
            floor = watermark - OVERLAP_SECONDS
            self.read_recent("", floor=floor, until=now, deadline=deadline)

    def _active(
        self, cursor: str, required: frozenset[str] | None, deadline: float
    ) -> Iterator[tuple[str, ConnectedAccount]]:
        pages = self.composio.active_accounts(
            Place(cursor), auth_config_ids=required, deadline=deadline
        )
        return ((place.cursor, account) for place, accounts in pages for account in accounts)

    def _reconcile(self, account: ConnectedAccount, deadline: float) -> None:
        if fact := account.fact():
            self.provisioning.reconcile(fact, read_at=self.clock(), deadline=deadline)
        else:
            count(Metric.EVENT_IGNORED)

    def _out_of_time(self, deadline: float) -> bool:
        return deadline - self.clock() < CALL_SECONDS
