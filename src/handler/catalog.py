"""Which auth configs each enrolled MCP server requires: memory, then table, then Composio.

Reading never waits for Composio: `known` says whether what it returns is fresh, and the caller
records its fact before `sync` asks.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from handler.composio import Composio
from handler.decisions import Server
from handler.table import Table
from handler.telemetry import Metric, count, logger
from handler.transport import Unavailable

MEMORY_SECONDS = 60
FRESH_SECONDS = 900
"""The sweep reads the catalog far more often; this is for when it does not run."""


@dataclass(frozen=True, slots=True)
class View:
    """The enrolled servers as they were known at one time."""

    servers: tuple[Server, ...]
    fresh: bool
    """Every enrolled server is known, from not long ago."""

    def requiring(self, auth_config_id: str) -> tuple[Server, ...]:
        """Return the servers that an account of this auth config matters to."""
        return tuple(one for one in self.servers if auth_config_id in one.required)


class Catalog:
    """The servers `enrolled` (ids, or None for every server of the project)."""

    def __init__(
        self,
        table: Table,
        composio: Composio,
        enrolled: frozenset[str] | None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._composio = composio
        self._enrolled = enrolled
        self._clock = clock
        self._servers: dict[str, Server] = {}
        self._fresh = False
        self._read_at = float("-inf")
        self._tried_at = float("-inf")

    def known(self) -> View:
        """Return what memory or the table knows; at most one round trip a minute."""
        if self._clock() - self._read_at >= MEMORY_SECONDS:
            self._servers, synced_at = self._table.catalog()
            self._read_at = self._clock()
            self._fresh = self._read_at - synced_at < FRESH_SECONDS
        return self._view()

    def sync(self, *, deadline: float) -> View:
        """Read the enrolled servers at Composio, store what changed, and return all of them.

        What cannot be read stays as it was, and is not asked for again within a minute.
        """
        self.known()
        if self._clock() - self._tried_at < MEMORY_SECONDS:
            return self._view()
        self._tried_at = self._clock()
        found, complete = self._fetch(deadline)
        for server in found.values():
            if self._servers.get(server.id) != server:
                self._table.store_server(server)
            if server.gone:
                logger.error("an enrolled MCP server does not exist", server_id=server.id)
        self._servers |= found
        if complete:
            self._table.store_synced(int(self._tried_at))
            self._fresh = True
        else:
            count(Metric.CATALOG_UNAVAILABLE)
        return self._view()

    def _view(self) -> View:
        enrolled = self._servers.keys() if self._enrolled is None else self._enrolled
        servers = [self._servers[one] for one in sorted(enrolled) if one in self._servers]
        return View(
            tuple(server for server in servers if not server.gone),
            fresh=self._fresh and len(servers) == len(enrolled),
        )

    def _fetch(self, deadline: float) -> tuple[dict[str, Server], bool]:
        """Return the servers that could be read, and whether these are all."""
        found: dict[str, Server] = {}
        try:
            if self._enrolled is None:
                found = self._composio.list_servers(deadline=deadline)
                lost = self._servers.keys() - found.keys()
                return found | {one: Server(one, frozenset(), gone=True) for one in lost}, True
            for server_id in sorted(self._enrolled):
                found[server_id] = self._composio.get_server(server_id, deadline=deadline)
        except Unavailable as nothing:
            logger.warning("the catalog cannot be read", problem=asdict(nothing.problem))
            return found, False
        return found, True
