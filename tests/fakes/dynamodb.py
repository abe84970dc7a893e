"""A small, strict fake of boto3's DynamoDB client with one table and its index.

Each request is validated by botocore's own model of DynamoDB. What AWS refuses raises ClientError;
what this project never sends raises NotSupported. The tests that use `empty_table` run against the
emulator and moto, too. Requests are atomic, as nothing runs at the same time.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from tests.fakes import expressions
from tests.fakes.expressions import Compiled, Condition, Item
from tests.fakes.requests import (
    ConditionalCheckFailedException,
    Request,
    invalid,
    service_error,
    validate,
)
from tests.fakes.sizes import LARGEST_ITEM, item_size, largest_size, read_units, write_units

type Key = tuple[str, str]

INDEX = ("due", "due_at")
"""Partition and sort key of the sparse index, whose name is that of its partition key."""

_KEYS = {"pk": "S", "sk": "S"}
_TYPES = {**_KEYS, "due": "S", "due_at": "N"}
PAGE_BYTES = 1 << 20


class Exceptions:
    """`client.exceptions`, which has no ValidationException, like the real one."""

    ConditionalCheckFailedException = ConditionalCheckFailedException


class Snapshot(NamedTuple):
    """The state of a fake, which `restore` returns to."""

    rows: dict[str, dict[str, Item]]
    calls: tuple[tuple[str, Request], ...]
    stream: tuple[tuple[Item | None, Item | None], ...]


class FakeDynamoDB:
    """The client's methods for one in-memory table with the keys of template.yaml.

    Attributes:
        rows: the items by partition and sort key.
        calls: the operation and the parameters of every request.
        stream: old and new image of every effective change, in order.
    """

    exceptions: ClassVar[type[Exceptions]] = Exceptions

    def __init__(self, table_name: str) -> None:
        self.table_name = table_name
        self.rows: dict[str, dict[str, Item]] = {}
        self.calls: list[tuple[str, Request]] = []
        self.stream: list[tuple[Item | None, Item | None]] = []
        self._largest = 0

    def get_item(self, **request: Any) -> Any:
        """GetItem."""
        self._check("GetItem", request)
        item = self._item(*_key(request["Key"]))
        return ({"Item": item} if item else {}) | _read(request, [item or {}])

    def put_item(self, **request: Any) -> Any:
        """PutItem."""
        return self._write("PutItem", request, lambda _: request["Item"])

    def delete_item(self, **request: Any) -> Any:
        """DeleteItem."""
        return self._write("DeleteItem", request, lambda _: None)

    def update_item(self, **request: Any) -> Any:
        """UpdateItem."""
        compiled = expressions.update(request["UpdateExpression"])

        def changed(old: Item | None) -> Item:
            new = dict(old or request["Key"])
            for _, change in compiled.run:
                change(new, old or {}, *_given(request))
            return new

        names = request.get("ExpressionAttributeNames", {})
        about = ["pk", "sk", *(names.get(name, name) for name, _ in compiled.run)]
        if len(set(about)) < len(about):
            raise invalid("UpdateItem", "an attribute is changed twice, or a key is")
        return self._write("UpdateItem", request, changed, compiled.used)

    def query(self, **request: Any) -> Any:
        """Query of a partition of the table, or of the index, in pages."""
        condition = self._check("Query", request, "KeyConditionExpression")
        if "IndexName" in request:
            found = [one for rows in self.rows.values() for one in rows.values() if _due(one)]
            found.sort(key=lambda one: _position(request, one))
            found = [{name: one[name] for name in ("pk", "sk", *INDEX)} for one in found]
        else:
            rows = self.rows.get(request["ExpressionAttributeValues"][":pk"]["S"], {})
            found = [item for _, item in sorted(rows.items())]
        held = [one for one in found if condition(one, *_given(request))]
        return self._page(request, held)

    def scan(self, **request: Any) -> Any:
        """Scan, in the order of the keys, which DynamoDB does not guarantee."""
        self._check("Scan", request)
        items = [item for _, rows in sorted(self.rows.items()) for _, item in sorted(rows.items())]
        return self._page(request, items)

    def snapshot(self) -> Snapshot:
        """Return the current state."""
        rows = {pk: dict(rows) for pk, rows in self.rows.items()}
        return Snapshot(rows, tuple(self.calls), tuple(self.stream))

    def restore(self, snapshot: Snapshot) -> None:
        """Return to an earlier state."""
        self.rows = {pk: dict(rows) for pk, rows in snapshot.rows.items()}
        self.calls[:], self.stream[:] = snapshot.calls, snapshot.stream

    def _item(self, pk: str, sk: str) -> Item | None:
        return self.rows.get(pk, {}).get(sk)

    def _check(
        self,
        operation: str,
        request: Request,
        expression: str = "ConditionExpression",
        used: frozenset[str] = frozenset(),
    ) -> Condition:
        """Refuse an invalid request, and return the compiled condition."""
        validate(operation, request)
        self.calls.append((operation, request))
        if request["TableName"] != self.table_name:
            raise service_error(operation, "ResourceNotFoundException", "no such table")
        if "Key" in request and {n: next(iter(v)) for n, v in request["Key"].items()} != _KEYS:
            raise invalid(operation, "the key is not of this table")
        text = request.get(expression)
        compiled = expressions.condition(text) if text else Compiled(_always, frozenset())
        names, values = _given(request)
        wrong = (compiled.used | used) ^ (names.keys() | values.keys())
        if wrong or {} in (request.get(f"ExpressionAttribute{one}") for one in ("Names", "Values")):
            raise invalid(operation, f"not used, or not defined: {sorted(wrong)}")
        return compiled.run

    def _write(
        self,
        operation: str,
        request: Request,
        change: Callable[[Item | None], Item | None],
        used: frozenset[str] = frozenset(),
    ) -> Any:
        condition = self._check(operation, request, used=used)
        key = _key(request.get("Key") or request["Item"])
        old = self._item(*key)
        if not condition(old or {}, *_given(request)):
            asked = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            fields = {"Item": old} if asked and old else {}
            code = ConditionalCheckFailedException.__name__
            raise service_error(operation, code, "The conditional request failed", **fields)
        new = change(old)
        self._largest = max(self._largest, most := largest_size(new or {}))
        if most > LARGEST_ITEM and item_size(new or {}) > LARGEST_ITEM:
            raise invalid(operation, "Item size to update has exceeded the maximum allowed size")
        if new and any(kind not in new.get(name, {kind}) for name, kind in _TYPES.items()):
            raise invalid(operation, "a key of the table or of its index is of another type")
        if new is None:
            self.rows.get(key[0], {}).pop(key[1], None)
        else:
            self.rows.setdefault(key[0], {})[key[1]] = new
        if new != old:
            self.stream.append((old, new))
        answer: dict[str, Any] = {"ResponseMetadata": {"HTTPStatusCode": 200}}
        if request.get("ReturnValues", "NONE") == "ALL_NEW":
            answer["Attributes"] = new
        if "ReturnConsumedCapacity" in request:
            units = write_units(old, new) + _index_units(old, new)
            answer["ConsumedCapacity"] = {"TableName": self.table_name, "CapacityUnits": units}
        return answer

    def _page(self, request: Request, found: list[Item]) -> Any:
        if start := request.get("ExclusiveStartKey"):
            # The key need not exist any more.
            found = [one for one in found if _position(request, one) > _position(request, start)]
        items, size = found[: request.get("Limit")], 0
        if len(items) * self._largest > PAGE_BYTES:
            for number, item in enumerate(items):
                if size > PAGE_BYTES:
                    items = items[:number]
                    break
                size += item_size(item)
        more = {}
        if len(items) < len(found) and items:
            kept = ("pk", "sk", *(INDEX if "IndexName" in request else ()))
            more = {"LastEvaluatedKey": {name: items[-1][name] for name in kept}}
        return {"Items": items, "Count": len(items), **more, **_read(request, items)}


def _always(*_: object) -> bool:
    return True


def _key(item: Item) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _position(request: Request, item: Item) -> tuple[int, Key]:
    return int(item[INDEX[1]]["N"]) if "IndexName" in request else 0, _key(item)


def _given(request: Request) -> tuple[dict[str, str], Item]:
    return request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})


def _due(item: Item) -> bool:
    return INDEX[0] in item and INDEX[1] in item


def _index_units(old: Item | None, new: Item | None) -> float:
    before, after = (
        {name: one[name] for name in ("pk", "sk", *INDEX)} if one and _due(one) else None
        for one in (old, new)
    )
    return 0.0 if before == after else float((before is not None) + (after is not None))


def _read(request: Request, items: list[Item]) -> dict[str, Any]:
    answer: dict[str, Any] = {"ResponseMetadata": {"HTTPStatusCode": 200}}
    if "ReturnConsumedCapacity" in request:
        units = read_units(
            sum(map(item_size, items)), consistent=bool(request.get("ConsistentRead"))
        )
        answer["ConsumedCapacity"] = {"TableName": request["TableName"], "CapacityUnits": units}
    return answer
