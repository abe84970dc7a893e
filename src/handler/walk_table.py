"""How far the sweep has come with what it reads in turns, in the table.

| pk | sk | holds |
|---|---|---|
| `SWEEP` | `WATERMARK` | how far recent accounts have been read, and the walk that reads them |
| `SWEEP` | `BACKFILL#<sort key>` | the walk over the accounts that a target requires |
| `SWEEP` | `DUE` | the walk over what is due |

Whoever takes a walk holds it until the lease ends, or leaves it to whoever has the token.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from handler.dynamodb import Table, assign
from handler.paging import Place
from handler.targets import TargetId

SWEEP = "SWEEP"
RECENT = "WATERMARK"
BACKFILL = "BACKFILL#"
DUE = "DUE"


class Walk(NamedTuple):
    """A walk over all pages of a list; times are Unix seconds."""

    name: str
    begun_at: int
    token: str = ""
    """Whose it is; "" where nobody has taken it yet."""
    lease_until: int = 0
    place: Place = Place()
    news: int = 0
    """How many accounts were news that were there before it began."""
    emptied: int = 0
    """How many times in a row it has come to its end with a page that lists nothing."""
    set_aside: tuple[str, ...] = ()
    """The ids of accounts that could not be handled, and have got messages of their own."""
    changed_at: int = 0
    """When the change of the MCP server was read that last asked for a back-fill."""
    read_until: int = 0
    """The watermark of recent accounts: those that were created before have been read."""

    def again(self) -> "Walk":
        """Return the walk at the first page."""
        return self._replace(place=Place(), news=0)


@dataclass(eq=False)
class WalkTable:
    """The walks, in the table."""

    table: Table

    def walks(self) -> Iterator[Walk]:
        """Yield every walk that is not at its end."""
        for row in self.table.partition(SWEEP):
            if "cursor" in row:
                yield walk_from_row(row)

    def take(
        self,
        name: str,
        *,
        token: str,
        mine: str,
        now: int,
        lease: int,
        begin: Mapping[str, object] = {},
    ) -> Walk | None:
        """Take a walk; None where another invocation holds it, or it is to begin later.

        Args:
            name: Which walk.
            token: Unique to this taking.
            mine: The token with which it was left to the caller, or "".
            now: Unix seconds.
            lease: Seconds for which it is the caller's.
            begin: The attributes that a walk begins with; without, there has to be one.
        """
        first = "".join(f"#{name} = if_not_exists(#{name}, :{name}), " for name in begin)
        free = "(attribute_not_exists(#lease_until) OR #lease_until <= :now OR #token = :mine)"
        row, _ = self.table.update(
            walk_key(name),
            f"SET {first}#token = :token, #lease_until = :until",
            free if begin else f"attribute_exists(#cursor) AND {free}",
            token=token,
            mine=mine,
            now=now,
            until=now + lease,
            **begin,
        )
        # A write that botocore repeats fails on its own first attempt: the row is then ours.
        return walk_from_row(walk_key(name) | row) if row.get("token") == token else None

    def leave(self, walk: Walk, *, until: int) -> None:
        """Store how far the walk is; from this time on, or with its token, others can take it."""
        self._update(walk, walk.place._asdict() | {"news": walk.news, "lease_until": until})

    def end(self, walk: Walk) -> None:
        """Store that the walk is at its end; watermark and what was set aside stay."""
        self._update(walk, dict.fromkeys(_PASSING) | {"read_until": walk.read_until or None})

    def request_backfill(self, key: TargetId, *, at: int, changed_at: int | None = None) -> None:
        """Have a back-fill begin at this time; whoever is at an older one loses it."""
        row: dict[str, Any] = {
            **dict.fromkeys((*_PASSING, "emptied", "set_aside")),
            "cursor": "",
            "begun_at": at,
            "lease_until": at,
        }
        if changed_at is not None:
            row["changed_at"] = changed_at
        self.table.update(walk_key(BACKFILL + key.sort_key), assign(row), **row)

    def _update(self, walk: Walk, passing: Mapping[str, Any]) -> None:
        kept = {"emptied": walk.emptied or None, "set_aside": list(walk.set_aside) or None}
        row = {**passing, **kept}
        values = {**row, "token": walk.token}
        self.table.update(walk_key(walk.name), assign(row), "#token = :token", **values)


def walk_key(name: str) -> dict[str, str]:
    """Return the key of the row that holds the walk."""
    return {"pk": SWEEP, "sk": name}


def walk_from_row(row: Mapping[str, Any]) -> Walk:
    """Return the walk in the row."""
    place = Place(**{name: row[name] for name in Place._fields if name in row})
    plain = {name: row[name] for name in Walk._fields if name in row}
    plain["set_aside"] = tuple(row.get("set_aside", ()))
    return Walk(name=row["sk"], place=place, **plain)


_PASSING = (*Place._fields, "begun_at", "token", "lease_until", "news")
"""The attributes that a row has only while there is a walk."""
