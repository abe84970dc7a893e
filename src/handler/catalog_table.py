"""The catalog in the table, its back-fills, and how far recent accounts have been read.

| pk | sk | holds |
|---|---|---|
| `CATALOG` | `SERVER#<server_id>` | what an MCP server requires, and when it was read |
| `CATALOG` | `SYNCED` | when all MCP servers of the project were last listed |
| `SWEEP` | `WATERMARK` | how far recent accounts have been read |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handler.dynamodb import Table, assign
from handler.readings import Known, StoredCatalog
from handler.values import Target

CATALOG, SERVER = "CATALOG", "SERVER#"
SYNCED_KEY = {"pk": CATALOG, "sk": "SYNCED"}
WATERMARK_KEY = {"pk": "SWEEP", "sk": "WATERMARK"}


@dataclass(eq=False)
class CatalogTable:
    """The catalog and the sweep's places, in the table."""

    table: Table

    def catalog(self) -> StoredCatalog:
        """Return the known servers."""
        known = {row["sk"]: row for row in self.table.partition(CATALOG)}
        synced = known.pop(SYNCED_KEY["sk"], {"synced_at": 0})
        return StoredCatalog(
            {sk.removeprefix(SERVER): known_from_row(row) for sk, row in known.items()},
            synced["synced_at"],
            frozenset(row["server_id"] for row in known.values() if "backfill" in row),
        )

    def store_server(
        self, server: Target, *, read_at: int = 0, backfill_at: int | None = None
    ) -> None:
        """Store what an MCP server requires, and from when on its users are to be back-filled.

        It is one write: a server that is new is never known without its back-fill. Times are
        Unix seconds; whoever is at an older back-fill loses it.
        """
        row = server_to_row(server) | marks(Known(server, read_at))
        if backfill_at is not None:
            row |= {"backfill": "", "backfill_until": backfill_at, "backfill_token": ""}
        self.table.update(server_key(server.id), assign(row), **row)

    def mark(self, server_id: str, known: Known) -> None:
        """Store when Composio was asked about an MCP server that is otherwise as it was."""
        row = marks(known)
        self.table.update(server_key(server_id), assign(row), **row)

    def store_synced(self, now: int) -> None:
        """Store that all MCP servers were listed at this time (Unix seconds)."""
        self.table.update(SYNCED_KEY, "SET #synced_at = :now", now=now)

    def begin_backfill(self, server_id: str, *, token: str, now: int, lease: int) -> str | None:
        """Take the back-fill of a server, and return the cursor to go on from ("" at first).

        None where it is done already, not due yet, or in other hands until its lease ends.
        `token` is one's own: a change of the server, or who comes after the lease, takes it away.
        """
        row, taken = self.table.update(
            server_key(server_id),
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
        self.table.update(server_key(server_id), assign(left), condition, token=token, **left)

    def begin_recent(self, *, now: int, start: int, lease: int) -> int | None:
        """Take the reading of recent accounts, and return the watermark (Unix seconds).

        None where it is in other hands until its lease ends. `start` is the first watermark.
        """
        row, taken = self.table.update(
            WATERMARK_KEY,
            "SET #lease_until = :until, #read_until = if_not_exists(#read_until, :start)",
            "attribute_not_exists(#lease_until) OR #lease_until <= :now",
            until=now + lease,
            now=now,
            start=start,
        )
        return row["read_until"] if taken else None

    def keep_recent(self, *, now: int, lease: int) -> None:
        """Hold the reading of recent accounts for longer: it is handed on."""
        self.table.update(WATERMARK_KEY, "SET #lease_until = :until", until=now + lease)

    def advance(self, read_until: int) -> None:
        """Set the watermark: all accounts created before this Unix time have been recorded."""
        self.table.update(
            WATERMARK_KEY,
            "SET #read_until = :read_until REMOVE #lease_until",
            "#read_until <= :read_until",
            read_until=read_until,
        )


def server_key(server_id: str) -> dict[str, str]:
    """Return the key of the row of the catalog that holds the server."""
    return {"pk": CATALOG, "sk": SERVER + server_id}


def known_from_row(row: Mapping[str, Any]) -> Known:
    """Return what is known of the server in the row."""
    return Known(
        server=server_from_row(row) if "required" in row else None,
        read_at=row.get("read_at", 0),
        tried_at=row.get("tried_at"),
        absent_since=row.get("absent_since"),
        left=row.get("left", False),
    )


def marks(known: Known) -> dict[str, Any]:
    """Return the attributes that say when Composio was asked, and, as None, those that do not."""
    row = known._asdict() | {"left": known.left or None}
    del row["server"]
    return row


def server_to_row(server: Target) -> dict[str, Any]:
    """Return the attributes that hold the server."""
    return {
        "server_id": server.id,
        "required": sorted(server.required),
        "name": server.name,
        "gone": server.gone,
        "url": server.url,
        "toolkits": dict(server.toolkits),
    }


def server_from_row(row: Mapping[str, Any]) -> Target:
    """Return the server in the row."""
    return Target(
        id=row["server_id"],
        required=frozenset(row["required"]),
        name=row["name"],
        gone=row["gone"],
        url=row.get("url", ""),
        toolkits=row.get("toolkits", {}),
    )
