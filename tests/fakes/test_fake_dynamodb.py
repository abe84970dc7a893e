"""What the fake has beyond the client that it stands for."""

from typing import Any

import pytest

from tests.fakes.contract import KEY, Item, faked, items, m, n, refused, s
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.schema import INDEX, KEYS, TYPES
from tests.template.sam_template import RESOURCES


@pytest.fixture
def fake() -> FakeDynamoDB:
    return FakeDynamoDB("table")


def _put(fake: FakeDynamoDB, item: Item) -> None:
    fake.put_item(TableName="table", Item=KEY | item)


def _get(fake: FakeDynamoDB) -> Item | None:
    item: Any = fake.get_item(TableName="table", Key=KEY).get("Item")
    return None if item is None else dict(item)


def test_the_fake_has_the_keys_of_the_template() -> None:
    table = RESOURCES["Table"]["Properties"]
    [index] = table["GlobalSecondaryIndexes"]

    def names(schema: list[dict[str, str]]) -> tuple[str, ...]:
        return tuple(key["AttributeName"] for key in schema)

    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    assert types == TYPES
    assert {None: names(table["KeySchema"]), INDEX: names(index["KeySchema"])} == KEYS
    assert index["IndexName"] == INDEX
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}


def test_what_is_put_is_not_what_the_caller_goes_on_changing(fake: FakeDynamoDB) -> None:
    item = KEY | {"a": m(x=items(n(1)))}
    fake.put_item(TableName="table", Item=item)
    item["a"]["M"]["x"]["L"].append(n(2))
    item["b"] = n(1)
    assert _get(fake) == KEY | {"a": m(x=items(n(1)))}


def test_what_is_returned_is_the_callers_own(fake: FakeDynamoDB) -> None:
    _put(fake, {"a": m(x=items(n(1)))})
    answer: Any = fake.update_item(
        TableName="table",
        Key=KEY,
        UpdateExpression="SET b = a, c = :c",
        ExpressionAttributeValues={":c": m()},
        ReturnValues="ALL_NEW",
    )
    answer["Attributes"]["a"]["M"]["x"]["L"].clear()
    assert answer["Attributes"]["b"] == m(x=items(n(1)))
    assert _get(fake) == KEY | {"a": m(x=items(n(1))), "b": m(x=items(n(1))), "c": m()}


def test_every_request_that_would_go_out_is_told(fake: FakeDynamoDB) -> None:
    _get(fake)
    with pytest.raises(fake.exceptions.ConditionalCheckFailedException):
        fake.delete_item(TableName="table", Key=KEY, ConditionExpression="attribute_exists(pk)")
    assert [operation for operation, _ in fake.calls] == ["GetItem", "DeleteItem"]
    assert fake.calls[0][1] == {"TableName": "table", "Key": KEY}


def test_the_stream_tells_every_effective_change(fake: FakeDynamoDB) -> None:
    _put(fake, {"a": n(1)})
    _put(fake, {"a": n("1.0")})
    _put(fake, {"a": n(2)})
    fake.delete_item(TableName="table", Key=KEY)
    fake.delete_item(TableName="table", Key=KEY)
    first, second = KEY | {"a": n(1)}, KEY | {"a": n(2)}
    assert fake.stream == [(None, first), (first, second), (second, None)]


def test_a_cancelled_transaction_leaves_no_trace_in_the_stream(fake: FakeDynamoDB) -> None:
    put: Any = {"Put": {"TableName": "table", "Item": KEY}}
    check: Any = {
        "ConditionCheck": {
            "TableName": "table",
            "Key": KEY | {"sk": s("gone")},
            "ConditionExpression": "attribute_exists(pk)",
        }
    }
    with pytest.raises(fake.exceptions.TransactionCanceledException):
        fake.transact_write_items(TransactItems=[put, check])
    assert fake.stream == []
    assert _get(fake) is None


def test_a_snapshot_can_be_gone_back_to_again_and_again(fake: FakeDynamoDB) -> None:
    due = {"due": s("DUE"), "due_at": n(1)}
    _put(fake, {"a": n(1)} | due)
    before = fake.snapshot()
    for value in (2, 3):
        _put(fake, {"a": n(value)})
        after = fake.snapshot()
        fake.restore(before)
        assert _get(fake) == KEY | {"a": n(1)} | due
        assert _due(fake) == 1
        fake.restore(after)
        assert _get(fake) == KEY | {"a": n(value)}
        assert _due(fake) == 0
        fake.restore(before)
    assert len(fake.calls) == len(fake.stream) == 1


def _due(fake: FakeDynamoDB) -> int:
    return fake.query(
        TableName="table",
        IndexName="due",
        KeyConditionExpression="due = :d",
        ExpressionAttributeValues={":d": s("DUE")},
    )["Count"]


def test_a_transactions_token_is_forgotten_after_ten_minutes() -> None:
    times = iter((0.0, 599.0, 601.0))
    fake = FakeDynamoDB("table", clock=lambda: next(times))
    add: Any = {
        "Update": {
            "TableName": "table",
            "Key": KEY,
            "UpdateExpression": "ADD a :v",
            "ExpressionAttributeValues": {":v": n(1)},
        }
    }
    for _ in range(3):
        fake.transact_write_items(TransactItems=[add], ClientRequestToken="token")
    assert _get(fake) == KEY | {"a": n(2)}


def test_only_the_changed_parts_of_a_list_are_returned() -> None:
    table = faked()
    table.put({"a": m(b=s("x"), c=items(n(1), n(2), n(3)))})
    answer = table.update("SET a.c[1] = :v", {":v": n(7)}, ReturnValues="UPDATED_OLD")
    assert answer["Attributes"] == {"a": m(c=items(n(2)))}


def test_binary_values_are_kept_and_ordered_as_unsigned_bytes() -> None:
    table = faked()
    table.put({"a": {"B": b"\x7f"}, "set": {"BS": [b"b", b"a"]}})
    table.update("SET b = :v", {":v": {"B": b"\x80"}}, condition="a < :v")
    assert table.get() == KEY | {
        "a": {"B": b"\x7f"},
        "b": {"B": b"\x80"},
        "set": {"BS": [b"a", b"b"]},
    }


def test_values_nest_32_levels_deep_and_no_deeper() -> None:
    value: Item = n(1)
    for _ in range(31):
        value = items(value)
    table = faked()
    table.put({"a": value})
    with refused():
        table.put({"a": items(value)})


def test_the_plus_and_minus_of_numbers_is_exact_or_refused() -> None:
    table = faked()
    table.put({"a": n("9" * 38)})
    with refused():
        table.update("SET a = a + :v", {":v": n("0.1")})
    table.update("SET a = a + :v", {":v": n(1)})
    assert table.get() == KEY | {"a": n("1" + "0" * 38)}
