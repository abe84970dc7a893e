"""Which auth configs each enrolled MCP server requires: memory, then table, then Composio.

Reading never waits for Composio: `known` says whether what it returns is up to date, and the caller
records its fact before `sync` asks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from handler.catalog_table import CatalogTable, StoredCatalog
from handler.composio import Composio
from handler.decisions import needs_backfill
from handler.telemetry import Metric, count, logger
from handler.transport import Unavailable
from handler.urls import mcp_url
from handler.values import Problem, Server

NEVER = float("-inf")
MEMORY_SECONDS = 60
REFRESH_SECONDS = 300
FRESH_SECONDS = 900
"""For when the sweep does not run: then an event has the catalog read again."""


class View(NamedTuple):
    """The enrolled servers as they were known at one time."""

    servers: tuple[Server, ...]
    up_to_date: bool
    """Every enrolled server is known, from not long ago."""

    def requiring(self, auth_config_id: str) -> tuple[Server, ...]:
        """Return the servers that an account of this auth config matters to."""
        return tuple(one for one in self.servers if auth_config_id in one.required)


@dataclass(eq=False)
class Catalog:
    """The servers `enrolled` (ids, or None for every server); `base_url` is Composio's."""

    catalog_table: CatalogTable
    composio: Composio
    enrolled: frozenset[str] | None
    base_url: str
    clock: Callable[[], float]
    _stored: StoredCatalog = field(default=StoredCatalog({}, 0, frozenset()), init=False)
    _read_at: float = field(default=NEVER, init=False)
    _tried_at: float = field(default=NEVER, init=False)
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

    def server(self, server_id: str, *, deadline: float) -> Server:
        """Return an MCP server; `gone` where it is not enrolled (any more).

        Raises:
            Unavailable: It is not known, and Composio cannot be asked.
        """
        view = self.known()
        if not view.up_to_date:
            view = self.sync(deadline=deadline)
        for server in view.servers:
            if server.id == server_id:
                return server
        if not view.up_to_date:
            raise Unavailable(Problem("the catalog cannot be read"))
        return Server(server_id, frozenset(), gone=True)

    def backfills(self) -> frozenset[str]:
        """Return the enrolled MCP servers whose users are still to be back-filled."""
        return self._stored.backfills & {one.id for one in self.known().servers}

    def toolkits(self) -> dict[str, str]:
        """Return the toolkit of each auth config, as far as memory has it."""
        known: dict[str, str] = {}
        for server in self._stored.servers.values():
            known |= server.toolkits
        return known

    def refresh(self, *, deadline: float) -> None:
        """Read the enrolled servers at Composio every five minutes."""
        self.known()
        if self.clock() - self._stored.synced_at >= REFRESH_SECONDS:
            self.sync(deadline=deadline)

    def sync(self, *, deadline: float) -> View:
        """Read the enrolled servers at Composio, store what changed, and return all of them.

        What cannot be read stays as it was, and is not asked for again within a minute.
        """
        self.known()
        if self.clock() - self._tried_at < MEMORY_SECONDS:
            return self._view()
        self._tried_at = self.clock()
        found, complete = self._fetch(deadline)
        found = self._with_toolkits(found, deadline)
        servers, backfills = {**self._stored.servers, **found}, set(self._stored.backfills)
        for server in found.values():
            before = self._stored.servers.get(server.id)
            if server == before:
                continue
            backfill = needs_backfill(before, server)
            # Until then others remember the server as it was, and ignore accounts by it.
            at = int(self.clock()) + MEMORY_SECONDS if backfill else None
            self.catalog_table.store_server(server, backfill_at=at)
            backfills |= {server.id} if backfill else set()
            if server.gone:
                logger.error("an enrolled MCP server does not exist", server_id=server.id)
        synced_at = self._stored.synced_at
        if complete:
            synced_at = int(self._tried_at)
            self.catalog_table.store_synced(synced_at)
        else:
            count(Metric.CATALOG_UNAVAILABLE)
        self._stored = StoredCatalog(servers, synced_at, frozenset(backfills))
        return self._view()

    def _view(self) -> View:
        known = self._stored.servers
        enrolled = known.keys() if self.enrolled is None else self.enrolled
        servers = [self._located(known[one]) for one in sorted(enrolled) if one in known]
        recent = self.clock() - self._stored.synced_at < FRESH_SECONDS
        return View(
            tuple(server for server in servers if not server.gone),
            up_to_date=recent and len(servers) == len(enrolled),
        )

    def _located(self, server: Server) -> Server:
        return server if server.url else server._replace(url=mcp_url(self.base_url, server.id))

    def _with_toolkits(self, found: dict[str, Server], deadline: float) -> dict[str, Server]:
        """Add the toolkits of the auth configs; Composio is asked for those not known yet.

        An auth config never changes its toolkit. One that Composio does not list is asked for
        once by each execution environment.
        """
        known = self.toolkits()
        required = frozenset[str]().union(*(one.required for one in found.values()))
        if required - known.keys() - self._nameless:
            try:
                known |= self.composio.toolkits(deadline=deadline)
                self._nameless = required - known.keys()
            except Unavailable as nothing:
                logger.warning("toolkits cannot be read", problem=nothing.problem.loggable())
        return {
            server.id: server._replace(
                toolkits={one: known[one] for one in sorted(server.required) if one in known}
            )
            for server in found.values()
        }

    def _fetch(self, deadline: float) -> tuple[dict[str, Server], bool]:
        """Return the servers that could be read, and whether these are all."""
        found: dict[str, Server] = {}
        try:
            if self.enrolled is None:
                found = self.composio.list_servers(deadline=deadline)
                lost = self._stored.servers.keys() - found.keys()
                return found | {one: Server(one, frozenset(), gone=True) for one in lost}, True
            for server_id in sorted(self.enrolled):
                found[server_id] = self.composio.get_server(server_id, deadline=deadline)
        except Unavailable as nothing:
            logger.warning("the catalog cannot be read", problem=nothing.problem.loggable())
            return found, False
        return found, True
