"""What the sweep remembers between two runs: the catalog, its back-fills, and the watermark."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from handler import rows
from handler.dynamodb import Store, assign
from handler.instances import Server


class Shelf(NamedTuple):
    """The catalog: the servers by id, when they were last read, whose users to back-fill."""

    servers: Mapping[str, Server]
    synced_at: int
    backfills: frozenset[str]


@dataclass(eq=False)
class Bookmarks:
    """The sweep's part of the table."""

    store: Store

    def due(self, limit: int) -> list[tuple[str, str, int]]:
        """Return (user, MCP server, Unix time due) of at most so many, the earliest first."""
        return [(*rows.instance_ids(row), row["due_at"]) for row in self.store.due(limit)]

    def catalog(self) -> Shelf:
        """Return the known servers."""
        known = {row["sk"]: row for row in self.store.partition(rows.CATALOG)}
        synced = known.pop(rows.SYNCED_KEY["sk"], {"synced_at": 0})
        return Shelf(
            {row["server_id"]: rows.server_from_row(row) for row in known.values()},
            synced["synced_at"],
            frozenset(row["server_id"] for row in known.values() if "backfill" in row),
        )

    def store_server(self, server: Server, *, backfill_at: int | None = None) -> None:
        """Store what an MCP server requires, and from when on its users are to be back-filled.

        It is one write: a server that is new is never known without its back-fill. The time is
        in Unix seconds; whoever is at an older back-fill loses it.
        """
        row = rows.server_to_row(server)
        if backfill_at is not None:
            row |= {"backfill": "", "backfill_until": backfill_at, "backfill_token": ""}
        self.store.update(rows.server_key(server.id), assign(row), **row)

    def store_synced(self, now: int) -> None:
        """Store that the catalog was read at Composio at this time (Unix seconds)."""
        self.store.update(rows.SYNCED_KEY, "SET #synced_at = :now", now=now)

    def begin_backfill(self, server_id: str, *, token: str, now: int, lease: int) -> str | None:
        """Take the back-fill of a server, and return the cursor to go on from ("" at first).

        None where it is done already, not due yet, or in other hands until its lease ends.
        `token` is one's own: a change of the server, or who comes after the lease, takes it away.
        """
        row, taken = self.store.update(
            rows.server_key(server_id),
            "SET #backfill_until = :until, #backfill_token = :token",
            "attribute_exists(#backfill)"
            " AND (attribute_not_exists(#backfill_until) OR #backfill_until <= :now)",
            until=now + lease,
            now=now,
            token=token,
        )
        return str(row["backfill"]) if taken else None

    def leave_backfill(self, server_id: str, cursor: str | None, *, token: str) -> None:
        """Give one's own back-fill out of hand: at this cursor, or done with None."""
        left = {"backfill": cursor, "backfill_until": None, "backfill_token": None}
        condition = "#backfill_token = :token"
        self.store.update(rows.server_key(server_id), assign(left), condition, token=token, **left)

    def begin_recent(self, *, now: int, start: int, lease: int) -> int | None:
        """Take the reading of recent accounts, and return the watermark (Unix seconds).

        None where it is in other hands until its lease ends. `start` is the first watermark.
        """
        row, taken = self.store.update(
            rows.WATERMARK_KEY,
            "SET #lease_until = :until, #read_until = if_not_exists(#read_until, :start)",
            "attribute_not_exists(#lease_until) OR #lease_until <= :now",
            until=now + lease,
            now=now,
            start=start,
        )
        return row["read_until"] if taken else None

    def keep_recent(self, *, now: int, lease: int) -> None:
        """Hold the reading of recent accounts for longer: it is handed on."""
        self.store.update(rows.WATERMARK_KEY, "SET #lease_until = :until", until=now + lease)

    def advance(self, read_until: int) -> None:
        """Set the watermark: all accounts created before this Unix time have been recorded."""
        self.store.update(
            rows.WATERMARK_KEY,
            "SET #read_until = :read_until REMOVE #lease_until",
            "#read_until <= :read_until",
            read_until=read_until,
        )
