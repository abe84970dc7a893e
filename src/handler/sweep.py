"""Catches up with whatever was missed, each minute, in three parts.

- due: targets whose lease or retry time has passed go to the queue, one message each.
- recent: accounts that have turned ACTIVE lately are read at Composio and taken like any event,
  so that an event that was never sent is not missed either.
- catalog: a server that is new, or requires something else, has its users back-filled.

Each part survives the failure of the others, stays inside its time, and hands the rest on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from handler.account_walk import Scope, Turn
from handler.catalog import Catalog
from handler.composio import PagesRepeat
from handler.decisions import LEASE_SECONDS, LONGEST_DELAY_SECONDS
from handler.paging import Place
from handler.queue import Queue
from handler.target_table import Due, TargetTable
from handler.targets import TargetId
from handler.telemetry import Metric, count, logger, took
from handler.transport import Unavailable
from handler.walk_table import BACKFILL, DUE, RECENT, Walk, WalkTable

MOST_DUE = 100
"""So much of what is due is in the queue at once. The next is sent when the message behind it is
reached: as fast as it is worked off, and no faster, so that nothing else waits for long."""

MOST_COUNTED = 3000
SOON_SECONDS = LONGEST_DELAY_SECONDS
"""What counts as pending is due by then: what has failed is due long after."""

OVERLAP_SECONDS = 900
"""A link dies after 10 minutes (Composio's KB, "Connected accounts"), so an account turns ACTIVE
within 10 minutes of its creation or never; the rest is for clocks that differ."""

HANDED_ON_SECONDS = 180
"""How long what is handed on waits for its message, before the sweep takes it up itself."""

REFUSED = {400, 404, 410, 422}
"""How Composio may answer to a cursor that it does not know any more."""

REPEATING_SECONDS = 900
"""How long a back-fill rests whose pages repeat."""

MOST_BACKFILLS = 2
"""How many back-fills go on at once: each keeps one of the worker's batches busy."""


@contextmanager
def _survived(part: str) -> Iterator[None]:
    try:
        yield
    except Exception:  # noqa: BLE001 - it runs again in a minute
        logger.exception("a part of the sweep failed", part=part)
        count(Metric.SWEEP_FAILED)


@dataclass(eq=False)
class Sweep:
    """Runs the parts; `turn` makes a turn of a walk, its scope and a deadline.

    `clock` is Unix seconds, `token` unique, and deadlines are Unix times to be back at.
    """

    target_table: TargetTable
    walk_table: WalkTable
    catalog: Catalog
    queue: Queue
    turn: Callable[[Walk, Scope, float], Turn]
    clock: Callable[[], float]
    token: Callable[[], str]

    def run(self, *, deadline: float) -> None:
        """Run the three parts, each whatever became of the others, and in its share of the time."""
        parts = (self._due, self._catalog_part, self._recent)
        for done, part in enumerate(parts):
            share = (deadline - self.clock()) / (len(parts) - done)
            with _survived(part.__name__.strip("_")):
                part(self.clock() + share)
        count(Metric.SWEEP_RUN)

    def recent(self, token: str, *, deadline: float) -> None:
        """Go on with the recent accounts, which were left with this token."""
        with _survived("recent"):
            self._recent(deadline, token)

    @_survived("backfill")
    def backfill(self, key: TargetId, token: str = "", *, deadline: float) -> None:
        """Take the accounts that matter to a target, from where it was left.

        Nothing is done while another invocation holds it, or once it is done.
        """
        walk = self._take(BACKFILL + key.sort_key, token)
        if walk is None:
            return
        # What is in memory may be older than the change that is back-filled.
        self.catalog.forget()
        required = self.catalog.target(key, deadline=deadline).required
        if self.catalog.read_at(key.name) < walk.changed_at:
            # The write of the change failed, or is still on its way.
            self.walk_table.leave(walk, until=int(self.clock()))
            return
        task = {"task": "backfill", "target": key.sort_key}
        ended = self._go_on(walk, Scope(required, 0, walk.begun_at), task, deadline)
        if ended and ended.emptied == 1:
            self.walk_table.leave(ended.again(), until=int(self.clock()))  # to the next sweep
        elif ended and _to_be_repeated(ended):
            self._hand_on(ended.again(), task)
        elif ended:
            self.walk_table.end(ended._replace(set_aside=(), emptied=0))

    @_survived("due")
    def more_due(self, token: str, *, deadline: float) -> None:  # noqa: ARG002 - as all messages
        """Queue what is due after what was queued before, left with this token."""
        walk = self._take(DUE, token)
        if walk is None:
            return
        now, cursor = int(self.clock()), walk.place.cursor
        if due := self.target_table.due(MOST_DUE, until=now, cursor=cursor):
            self._queue_due(walk, due)
        else:
            self.walk_table.end(walk)

    def _due(self, _: float) -> None:
        now = int(self.clock())
        pending = self.target_table.due(MOST_COUNTED, until=now + SOON_SECONDS)
        count(Metric.TARGETS_PENDING, len(pending))
        took(Metric.OLDEST_DUE_AGE, now - min((one.at for one in pending), default=now))
        due = [one for one in pending if one.at <= now]
        walk = self._take(DUE, begin={"cursor": "", "begun_at": now}) if due else None
        if walk:
            self._queue_due(walk, due[:MOST_DUE])

    def _queue_due(self, walk: Walk, due: Sequence[Due]) -> None:
        self.queue.send(
            {"task": "due", "user_id": one.user_id, "target": one.target} for one in due
        )
        self._hand_on(walk._replace(place=Place(due[-1].cursor)), {"task": "more_due"})

    def _catalog_part(self, deadline: float) -> None:
        self.catalog.refresh(deadline=deadline)
        now = self.clock()
        keys = {BACKFILL + one.key.sort_key: one.key for one in self.catalog.known().targets}
        walks = [one for one in self.walk_table.walks() if one.name.startswith(BACKFILL)]
        running = sum(bool(one.token) and one.lease_until > now for one in walks)
        # One that was tried later comes later, so that those that fail do not keep the others off.
        waiting = sorted(
            (one.lease_until, keys[one.name].sort_key)
            for one in walks
            if one.lease_until <= now and one.name in keys
        )
        self.queue.send(
            {"task": "backfill", "target": target}
            for _, target in waiting[: max(MOST_BACKFILLS - running, 0)]
        )

    def _recent(self, deadline: float, token: str = "") -> None:
        now = int(self.clock())
        begin = {"cursor": "", "begun_at": now, "read_until": now - OVERLAP_SECONDS}
        walk = self._take(RECENT, token, begin)
        if walk is None:
            return
        floor, settled = walk.read_until - OVERLAP_SECONDS, walk.begun_at - OVERLAP_SECONDS
        ended = self._go_on(walk, Scope(None, floor, settled), {"task": "recent"}, deadline)
        if ended and not _to_be_repeated(ended):
            read_until = max(ended.read_until, ended.begun_at)
            ended = ended._replace(read_until=read_until, emptied=0)
        if ended:
            self.walk_table.end(ended)

    def _take(self, name: str, mine: str = "", begin: Mapping[str, object] = {}) -> Walk | None:
        token, now = self.token(), int(self.clock())
        return self.walk_table.take(
            name, token=token, mine=mine, now=now, lease=LEASE_SECONDS, begin=begin
        )

    def _go_on(
        self, walk: Walk, scope: Scope, task: dict[str, str], deadline: float
    ) -> Walk | None:
        """Take a turn; return the walk at its end, or None where it is left or handed on."""
        turn = self.turn(walk, scope, deadline)
        try:
            if turn.run():
                return turn.walk
        except Exception as error:
            self._leave(turn.walk, error)
            raise
        self._hand_on(turn.walk, task)
        return None

    def _hand_on(self, walk: Walk, task: dict[str, str]) -> None:
        self.walk_table.leave(walk, until=int(self.clock()) + HANDED_ON_SECONDS)
        self.queue.send([task | {"token": walk.token}])

    def _leave(self, walk: Walk, error: Exception) -> None:
        """Leave a walk to the next sweep; that of recent accounts begins with the newest."""
        until = int(self.clock())
        recent, repeats = walk.name == RECENT, isinstance(error, PagesRepeat)
        refused = isinstance(error, Unavailable) and error.problem.status in REFUSED
        if repeats:
            count(Metric.PAGES_REPEAT)
            until += 0 if recent else REPEATING_SECONDS
        self.walk_table.leave(walk.again() if recent or repeats or refused else walk, until=until)


def _to_be_repeated(walk: Walk) -> bool:
    """Whether an account may be missed.

    A list can shift between the reading of two pages. That it lists nothing is believed the second
    time, unless the next walk reads the same accounts again in any case.
    """
    alone = walk.begun_at - walk.read_until > OVERLAP_SECONDS
    return (walk.news > 0 and walk.place.pages > 0) or (walk.emptied == 1 and alone)
