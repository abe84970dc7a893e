"""Which auth configs each enrolled MCP server requires: memory, then table, then Composio.

Reading never waits for Composio: `known` says whether what it returns is up to date, and the caller
records its fact before `sync` asks.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from handler.catalog_table import CatalogTable
from handler.composio import Composio
from handler.decisions import needs_backfill
from handler.isolation import Isolation
from handler.stored_catalog import AGAIN_SECONDS, Known, StoredCatalog, concerns_all
from handler.targets import Kind, Problem, Target, TargetId
from handler.telemetry import Metric, count, logger
from handler.transport import LEAST_SECONDS, Unavailable
from handler.urls import mcp_url

NEVER = float("-inf")
MEMORY_SECONDS = 60
FRESH_SECONDS = 900
"""For when the sweep does not run: then an event has the catalog read again."""

SYNC_SECONDS = 4
"""What an event, or a message about one instance, waits for the catalog."""

type Readings = Mapping[str, Target | None]
"""What Composio said of MCP servers by their ids; None where it could not be read."""


class View(NamedTuple):
    """The enrolled targets as they were known at one time."""

    targets: tuple[Target, ...]
    up_to_date: bool
    """Every enrolled server is known, from not long ago."""

    def requiring(self, auth_config_id: str) -> tuple[Target, ...]:
        """Return the targets that an account of this auth config matters to."""
        return tuple(one for one in self.targets if auth_config_id in one.required)


@dataclass(eq=False)
class Catalog:
    """The servers `enrolled` (ids, or None for every server); `base_url` is Composio's."""

    catalog_table: CatalogTable
    composio: Composio
    enrolled: frozenset[str] | None
    base_url: str
    clock: Callable[[], float]
    _stored: StoredCatalog = field(default=StoredCatalog({}, 0), init=False)
    _read_at: float = field(default=NEVER, init=False)
    _listed_at: float = field(default=NEVER, init=False)
    _nameless: frozenset[str] = field(default=frozenset(), init=False)

    def known(self) -> View:
        """Return what memory or the table knows; at most one round trip a minute."""
        if self.clock() - self._read_at >= MEMORY_SECONDS:
            self._stored = self.catalog_table.catalog()
            self._read_at = self.clock()
        return self._view()

    def forget(self) -> None:
        """Have the table read again: another environment may know better by now."""
        self._read_at = NEVER

    def target(self, key: TargetId, *, deadline: float) -> Target:
        """Return a target; `gone` where it is not enrolled (any more).

        Raises:
            Unavailable: It is not known, and Composio cannot be asked.
        """
        view = self.known()
        of_composio = key.kind is Kind.INSTANCE
        if of_composio and not self._fresh(key.name):
            view = self.sync(deadline=deadline, server_id=key.name)
        elif key not in {one.key for one in view.targets}:  # a profile that is new, or gone
            self.forget()
            view = self.known()
        for target in view.targets:
            if target.key == key:
                return target
        if of_composio and not self._fresh(key.name):
            raise Unavailable(Problem("the catalog cannot be read"))
        return Target(key.name, frozenset(), gone=True, kind=key.kind)

    def read_at(self, server_id: str) -> int:
        """Return when Composio last said what the server is, as far as memory has it."""
        every = self.enrolled is None
        return self._stored.synced_at if every else self._stored.known(server_id).read_at

    def toolkits(self) -> dict[str, str]:
        """Return the toolkit of each auth config, as far as memory has it."""
        known: dict[str, str] = {}
        for one in self._stored.servers.values():
            known |= one.server.toolkits if one.server else {}
        for profile in self._stored.profiles:
            known |= profile.toolkits
        return known

    def refresh(self, *, deadline: float) -> None:
        """Read at Composio what was not read for five minutes, and note which servers have left.

        What was due first is read first: what there is no time for comes first the next time.
        """
        self._read(deadline)
        for server_id, known in self._stored.servers.items():
            if self.enrolled is not None and server_id not in self.enrolled and not known.left:
                left = known._replace(left=True)
                self.catalog_table.mark(server_id, left)
                self._stored = self._stored.with_known(server_id, left)

    def sync(self, *, deadline: float, server_id: str | None = None) -> View:
        """Read at Composio what is due, or this server if it is, and return all that is known.

        It takes a few seconds at most. What cannot be read stays as it was, and is not asked for
        again within a minute.
        """
        self._read(min(deadline, self.clock() + SYNC_SECONDS), server_id)
        return self._view()

    def _view(self) -> View:
        every = self.enrolled is None
        # Of those that have left, a list says whether they are there.
        known = {
            one: it.server
            for one, it in self._stored.servers.items()
            if it.server and not (every and it.left)
        }
        enrolled = known.keys() if self.enrolled is None else self.enrolled
        servers = [self._located(known[one]) for one in sorted(enrolled) if one in known]
        return View(
            (*(server for server in servers if not server.gone), *self._stored.profiles),
            up_to_date=all(map(self._fresh, self.enrolled or [""])),
        )

    def _fresh(self, server_id: str) -> bool:
        """Whether it is known from not long ago what the server is, or that it is not enrolled."""
        if self.enrolled is not None and server_id not in self.enrolled:
            return True
        return self.clock() - self.read_at(server_id) < FRESH_SECONDS

    def _located(self, server: Target) -> Target:
        return server if server.url else server._replace(url=mcp_url(self.base_url, server.id))

    def _read(self, deadline: float, only: str | None = None) -> None:
        self.known()
        now = int(self.clock())
        if self.enrolled is not None:
            due = self._stored.due(self.enrolled if only is None else {only}, now)
            self._store(self._each(due, deadline), now, deadline)
        elif now >= max(self._listed_at + AGAIN_SECONDS, self._stored.list_due_at):
            self._listed_at = now
            try:
                listed = self.composio.list_servers(deadline=deadline)
            except Unavailable as nothing:
                _tell(nothing.problem)
                return
            self._store(listed | self._absent(listed, deadline), now, deadline)
            self.catalog_table.store_synced(now)
            self._stored = self._stored._replace(synced_at=now)

    def _each(self, server_ids: Iterable[str], deadline: float) -> dict[str, Target | None]:
        readings: dict[str, Target | None] = {}
        for server_id in server_ids:
            if deadline - self.clock() < LEAST_SECONDS:
                break
            try:
                readings[server_id] = self.composio.get_server(server_id, deadline=deadline)
            except Unavailable as nothing:
                readings[server_id] = None
                _tell(nothing.problem, server_id)
                if concerns_all(nothing.problem):
                    break
        return readings

    def _absent(self, listed: Readings, deadline: float) -> dict[str, Target | None]:
        """Return what is known of those that a list lacks: the second time they are asked for."""
        lacking = self._stored.lacking(listed)
        again = [one for one, known in lacking.items() if known.absent_since is not None]
        gone = {one: Target(one, frozenset(), gone=True) for one in lacking if one not in again}
        return {**gone, **self._each(again, deadline)}

    def _store(self, readings: Readings, now: int, deadline: float) -> None:
        """Store what has changed.

        Raises:
            Exception: The first that DynamoDB did not take, after all the others.
        """
        isolation = Isolation()
        for server_id, reading in self._with_toolkits(readings, deadline).items():
            before = self._stored.known(server_id)
            after = before.after(reading, now)
            with isolation:
                self._write(server_id, before, after)
                self._stored = self._stored.with_known(server_id, after)
        isolation.end()

    def _write(self, server_id: str, before: Known, after: Known) -> None:
        server = after.server
        if server is None or (server == before.server and before.left == after.left):
            # A list says when all of its servers were read: that is written once.
            if self.enrolled is not None or after._replace(read_at=before.read_at) != before:
                self.catalog_table.mark(server_id, after)
            return
        backfill_at = None
        if needs_backfill(None if before.left else before.server, server):
            # Until then others remember the server as it was, and ignore accounts by it.
            backfill_at = int(self.clock()) + MEMORY_SECONDS
        self.catalog_table.store_server(server, read_at=after.read_at, backfill_at=backfill_at)
        if server.gone:
            logger.error("an enrolled MCP server does not exist", server_id=server_id)

    def _with_toolkits(self, readings: Readings, deadline: float) -> Readings:
        """Add the toolkits of the auth configs; Composio is asked for those not known yet.

        An auth config never changes its toolkit. One that Composio does not list is asked for
        once by each execution environment.
        """
        known = self.toolkits()
        required = frozenset[str]().union(*(one.required for one in readings.values() if one))
        if required - known.keys() - self._nameless:
            try:
                known |= self.composio.toolkits(deadline=deadline)
                self._nameless = required - known.keys()
            except Unavailable as nothing:
                logger.warning("toolkits cannot be read", problem=nothing.problem.loggable())
        return {
            server_id: server
            and server._replace(
                toolkits={one: known[one] for one in sorted(server.required) if one in known}
            )
            for server_id, server in readings.items()
        }


def _tell(problem: Problem, server_id: str | None = None) -> None:
    count(Metric.CATALOG_UNAVAILABLE)
    logger.warning("the catalog cannot be read", server_id=server_id, problem=problem.loggable())
