"""GetItem, Query and Scan."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from tests.fakes.capacity import consumed, read_units
from tests.fakes.errors import InvalidRequestError
from tests.fakes.paths import projected
from tests.fakes.plans import Reading, placeholders, reading
from tests.fakes.requests import Request
from tests.fakes.schema import INDEX, KEY, KEYS, TYPES, identity, index_row
from tests.fakes.sizes import item_size
from tests.fakes.table import Table
from tests.fakes.values import Item, admitted_item, copied_item

PAGE = 1024 * 1024
_EXPRESSIONS = ("KeyConditionExpression", "FilterExpression", "ProjectionExpression")


def get(table: Table, request: Request) -> dict[str, Any]:
    """GetItem."""
    given, _ = placeholders(request, "ProjectionExpression")
    plan = reading(None, None, request.get("ProjectionExpression"), None, given)
    item = table.rows.get(*identity(request["Key"]))
    answer: dict[str, Any] = {}
    if item is not None:
        answer["Item"] = _answered(item, plan)
    units = read_units(item_size(item or {}), consistent=bool(request.get("ConsistentRead")))
    return answer | consumed(request.get("ReturnConsumedCapacity"), table.name, units)


class _Page(NamedTuple):
    """The items that a request read, and whether it stopped before the end."""

    items: list[Item]
    size: int
    more: bool


def query(table: Table, request: Request) -> dict[str, Any]:
    """Query."""
    if "KeyConditionExpression" not in request:
        raise InvalidRequestError(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in "
            "the request."
        )
    return scan(table, request)


def scan(table: Table, request: Request) -> dict[str, Any]:
    """Scan, and Query once it is known to have a key condition."""
    index = request.get("IndexName")
    plan, values = _plan(request, index)
    keys = (*KEY, *KEYS[index]) if index else KEY
    page = _page(_candidates(table, plan, values, request), request)
    kept = [item for item in page.items if plan.filter is None or plan.filter(item, values)]
    answer: dict[str, Any] = {"Count": len(kept), "ScannedCount": len(page.items)}
    if request.get("Select") != "COUNT":
        answer["Items"] = [_answered(item, plan) for item in kept]
    if page.more:
        answer["LastEvaluatedKey"] = copied_item({name: page.items[-1][name] for name in keys})
    units = read_units(page.size, consistent=bool(request.get("ConsistentRead")))
    cost = (0.0, units) if index else (units, 0.0)
    return answer | consumed(request.get("ReturnConsumedCapacity"), table.name, *cost)


def _answered(item: Item, plan: Reading) -> Item:
    return copied_item(item if plan.projection is None else projected(item, plan.projection))


def _plan(request: Request, index: str | None) -> tuple[Reading, Item]:
    if index not in KEYS:
        raise InvalidRequestError(f"The table does not have the specified index: {index}")
    if index and request.get("ConsistentRead"):
        raise InvalidRequestError("Consistent reads are not supported on global secondary indexes")
    given, values = placeholders(request, *_EXPRESSIONS)
    plan = reading(*(request.get(name) for name in _EXPRESSIONS), index, given)
    for check in plan.checks:
        check(values)
    if plan.key:
        plan.key.check(values)
    _check_select(request, index)
    return plan, values


def _check_select(request: Request, index: str | None) -> None:
    select, projection = request.get("Select"), "ProjectionExpression" in request
    if select == "ALL_ATTRIBUTES" and index:
        raise InvalidRequestError(
            "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not "
            f"supported for global secondary index {INDEX} because its projection type is not ALL"
        )
    if select == "ALL_PROJECTED_ATTRIBUTES" and not index:
        raise InvalidRequestError(
            "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
        )
    if select is not None and projection != (select == "SPECIFIC_ATTRIBUTES"):
        raise InvalidRequestError(
            "A ProjectionExpression goes with Select SPECIFIC_ATTRIBUTES, and only with it"
        )


def _candidates(table: Table, plan: Reading, values: Item, request: Request) -> list[Item]:
    """What the request would read without a limit, in order, after the key to start at."""
    index = request.get("IndexName")
    # A query needs its key condition; only a scan goes without.
    rows: Mapping[Any, Item] | None = None
    if plan.key:
        partition = values[plan.key.partition]["S"]
        rows = table.index.partition(partition) if index else table.rows.partition(partition)
    found: Iterable[Item] = rows.values() if rows is not None else _all(table, index)
    position = _index_position if index else _position
    if plan.key and (within := plan.key.row):
        found = [item for item in found if within(item, values)]
    forward = request.get("ScanIndexForward", True)
    ordered = sorted(found, key=position, reverse=not forward)
    if "ExclusiveStartKey" not in request:
        return ordered
    start = _start(admitted_item(request["ExclusiveStartKey"]), plan, values, index)
    at = position(start)
    return [item for item in ordered if (position(item) > at if forward else position(item) < at)]


def _all(table: Table, index: str | None) -> Iterable[Item]:
    partitions = table.index.partitions if index else table.rows.partitions
    return chain.from_iterable(rows.values() for rows in partitions.values())


def _position(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _index_position(item: Item) -> tuple[Any, ...]:
    return item["due"]["S"], *index_row(item)


def _start(start: Item, plan: Reading, values: Item, index: str | None) -> Item:
    names = {*KEY, *KEYS[index]}
    if start.keys() != names or any(TYPES[name] not in start[name] for name in names):
        raise InvalidRequestError("The provided starting key is invalid")
    if plan.key:
        partition = KEYS[index][0]
        if start[partition] != values[plan.key.partition]:
            raise InvalidRequestError("The provided starting key is outside query boundaries")
        if plan.key.row and not plan.key.row(start, values):
            raise InvalidRequestError(
                "The provided starting key does not match the range key predicate"
            )
    return start


def _page(candidates: list[Item], request: Request) -> _Page:
    limit, size = request.get("Limit"), 0
    for count, item in enumerate(candidates, start=1):
        more = item_size(item)
        if size + more > PAGE:
            return _Page(candidates[: count - 1], size, more=True)
        size += more
        # Stopping at the limit leaves a key behind, even if nothing comes after it.
        if count == limit:
            return _Page(candidates[:count], size, more=True)
    return _Page(candidates, size, more=False)
