"""What the readings of MCP servers at Composio say: what to believe, and what to read next."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from handler.targets import Problem, Target

AGAIN_SECONDS = 60
"""After a reading that said nothing for certain."""

REFRESH_SECONDS = 300

ABSENT_SECONDS = 60
"""How far apart the two answers are that it takes to believe that an MCP server is gone."""


class Known(NamedTuple):
    """What is known of one MCP server; times are Unix seconds."""

    server: Target | None = None
    read_at: int = 0
    """When Composio last said for certain what it is."""
    tried_at: int | None = None
    """When Composio was asked after that."""
    absent_since: int | None = None
    """When Composio first said that there is no such server, if that is not believed yet."""
    left: bool = False
    """It was not enrolled when the catalog was last refreshed."""

    @property
    def gone(self) -> bool:
        """Whether it is known that there is no such server."""
        return self.server is not None and self.server.gone

    @property
    def due_at(self) -> int:
        """When it is to be read again."""
        if self.tried_at is not None:
            return self.tried_at + AGAIN_SECONDS
        return 0 if self.left else self.read_at + REFRESH_SECONDS

    def after(self, reading: Target | None, now: int) -> "Known":
        """Return what is known after a reading that began at this Unix time.

        That a server is gone is believed where Composio has said so before, a minute ago or longer.

        Args:
            reading: What Composio said; None where it could not be read.
            now: Unix seconds.
        """
        if reading is None:
            return self._replace(tried_at=now)
        if reading.gone and not self.gone:
            since = now if self.absent_since is None else self.absent_since
            if now - since < ABSENT_SECONDS:
                return self._replace(tried_at=now, absent_since=since)
        return Known(reading, read_at=now)


class StoredCatalog(NamedTuple):
    """The catalog: the servers by id, when all were last listed (Unix seconds), the profiles."""

    servers: Mapping[str, Known]
    synced_at: int
    profiles: tuple[Target, ...] = ()

    @property
    def list_due_at(self) -> int:
        """When all servers are to be listed again."""
        doubted = any(known.absent_since is not None for known in self.servers.values())
        return self.synced_at + (AGAIN_SECONDS if doubted else REFRESH_SECONDS)

    def known(self, server_id: str) -> Known:
        """Return what is known of one server."""
        return self.servers.get(server_id, Known())

    def due(self, enrolled: Iterable[str], now: int) -> list[str]:
        """Return which servers are to be read, what is due longest first."""
        times = {one: self.known(one).due_at for one in enrolled}
        due = [one for one, at in times.items() if at <= now]
        return sorted(due, key=lambda one: (times[one], one))

    def lacking(self, listed: Mapping[str, object]) -> dict[str, Known]:
        """Return the servers that should be in a list, and are not."""
        return {
            one: known
            for one, known in self.servers.items()
            if one not in listed and known.server and not known.gone and not known.left
        }

    def with_known(self, server_id: str, known: Known) -> "StoredCatalog":
        """Return the catalog with what is known of one server."""
        return self._replace(servers={**self.servers, server_id: known})


def concerns_all(problem: Problem) -> bool:
    """Whether the reading of any other server would meet the same."""
    status = problem.status or 0
    return status in {401, 429} or status >= 500
