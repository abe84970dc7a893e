"""Consumed capacity: what a request costs, in units of its items' sizes."""

from typing import Any

from tests.fakes.schema import INDEX, index_entry
from tests.fakes.sizes import item_size
from tests.fakes.values import Item

WRITE_UNIT, READ_UNIT = 1024, 4096


def _units(size: int, unit: int) -> float:
    return float(max(1, -(-size // unit)))


def read_units(size: int, *, consistent: bool) -> float:
    """4 KB a unit, rounded up over the whole request; half of that if eventually consistent."""
    return _units(size, READ_UNIT) / (1 if consistent else 2)


def write_units(old: Item | None, new: Item | None) -> float:
    """1 KB a unit, of the larger of before and after."""
    return _units(max(item_size(old or {}), item_size(new or {})), WRITE_UNIT)


def index_write_units(old: Item | None, new: Item | None) -> float:
    """A write to insert or delete an entry; both to move it; none while it stays the same."""
    before, after = index_entry(old), index_entry(new)
    if before == after:
        return 0.0
    return sum(_units(item_size(one), WRITE_UNIT) for one in (before, after) if one is not None)


def consumed(
    asked: str | None, table_name: str, table: float, index: float = 0.0, unit: str | None = None
) -> dict[str, Any]:
    """The ConsumedCapacity of an answer, if the request asked for it."""
    if asked in (None, "NONE"):
        return {}

    def units(count: float) -> dict[str, float]:
        return {"CapacityUnits": count} | ({unit: count} if unit else {})

    report: dict[str, Any] = {"TableName": table_name, **units(table + index)}
    if asked == "INDEXES":
        report["Table"] = units(table)
        if index:
            report["GlobalSecondaryIndexes"] = {INDEX: units(index)}
    return {"ConsumedCapacity": report}
