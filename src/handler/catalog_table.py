"""The catalog in the table.

| pk | sk | holds |
|---|---|---|
| `CATALOG` | `SERVER#<server_id>` | what an MCP server requires, and when it was read |
| `CATALOG` | `PROFILE#<name>` | a session profile, as the operator put it |
| `CATALOG` | `SYNCED` | when all MCP servers of the project were last listed |
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handler.dynamodb import Table, assign
from handler.stored_catalog import Known, StoredCatalog
from handler.targets import Kind, Target, TargetId, session_profile
from handler.telemetry import Metric, count, logger
from handler.walk_table import WalkTable

CATALOG, SERVER, PROFILE = "CATALOG", "SERVER#", "PROFILE#"
SYNCED_KEY = {"pk": CATALOG, "sk": "SYNCED"}


@dataclass(eq=False)
class CatalogTable:
    """The catalog, in the table; a change of it requests a back-fill."""

    table: Table
    walk_table: WalkTable

    def catalog(self) -> StoredCatalog:
        """Return the known servers, and the session profiles, but for rows that nobody can read."""
        servers, profiles, synced_at = dict[str, Known](), list[Target](), 0
        for row in self.table.partition(CATALOG):
            try:
                if row["sk"] == SYNCED_KEY["sk"]:
                    synced_at = row["synced_at"]
                elif row["sk"].startswith(PROFILE):
                    profiles.append(profile_from_row(row))
                else:
                    servers[row["sk"].removeprefix(SERVER)] = known_from_row(row)
            except Exception:  # noqa: BLE001 - one never stops the others
                logger.exception("a row of the catalog cannot be read", sk=row["sk"])
                count(Metric.CATALOG_UNAVAILABLE)
        return StoredCatalog(servers, synced_at, tuple(profiles))

    def store_server(
        self, server: Target, *, read_at: int = 0, backfill_at: int | None = None
    ) -> None:
        """Store what an MCP server requires, and from when on its users are to be back-filled.

        Times are Unix seconds. The back-fill is requested first, so that no change is ever known
        without it.
        """
        row = server_to_row(server) | marks(Known(server, read_at))
        self._store(server.key, row, backfill_at, changed_at=read_at)

    def store_profile(self, profile: Target, *, backfill_at: int) -> None:
        """Store a session profile, and from when on its users are to be back-filled."""
        self._store(profile.key, profile_to_row(profile), backfill_at)

    def mark(self, server_id: str, known: Known) -> None:
        """Store when Composio was asked about an MCP server that is otherwise as it was."""
        row = marks(known)
        self.table.update(catalog_key(TargetId(Kind.INSTANCE, server_id)), assign(row), **row)

    def store_synced(self, now: int) -> None:
        """Store that all MCP servers were listed at this time (Unix seconds)."""
        self.table.update(SYNCED_KEY, "SET #synced_at = :now", now=now)

    def _store(
        self,
        key: TargetId,
        row: Mapping[str, Any],
        backfill_at: int | None,
        changed_at: int | None = None,
    ) -> None:
        if backfill_at is not None:
            self.walk_table.request_backfill(key, at=backfill_at, changed_at=changed_at)
        self.table.update(catalog_key(key), assign(row), **row)


def catalog_key(key: TargetId) -> dict[str, str]:
    """Return the key of the row of the catalog that holds the target."""
    prefix = SERVER if key.kind is Kind.INSTANCE else PROFILE
    return {"pk": CATALOG, "sk": prefix + key.name}


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


def profile_to_row(profile: Target) -> dict[str, Any]:
    """Return the attributes that hold the session profile; `create` is kept as JSON."""
    return {"toolkits": dict(profile.toolkits), "create": json.dumps(profile.create)}


def profile_from_row(row: Mapping[str, Any]) -> Target:
    """Return the session profile in the row."""
    return session_profile(
        row["sk"].removeprefix(PROFILE), row["toolkits"], json.loads(row["create"])
    )
