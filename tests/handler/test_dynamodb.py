"""The table's requests, against the fake and two other implementations of DynamoDB."""

import contextlib
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from mypy_boto3_dynamodb import DynamoDBClient

from handler.dynamodb import Table, TooLarge, assign, from_item, to_item
from handler.targets import Status
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.expressions import NotSupported

KEY = {"pk": "p", "sk": "s"}


def backend(request: pytest.FixtureRequest) -> str:
    """Return which of the three tables the test has."""
    return str(request.node.callspec.params["empty_table"])


def test_items_come_back_as_they_were() -> None:
    scalars = [None, True, False, "", "é", 0, -7, 10**37]
    values: dict[str, Any] = {"list": [*scalars, [], {}, scalars], "map": {"": {"list": []}}}

    found = from_item(to_item(values))

    assert found == values
    assert [type(one) for one in found["list"]] == [type(one) for one in values["list"]]


def test_status_is_stored_as_its_word() -> None:
    assert to_item({"status": Status.READY}) == {"status": {"S": "ready"}}


@pytest.mark.parametrize("value", [1.5, object()])
def test_value_of_an_unknown_type_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        to_item({"value": value})


def test_row_may_be_as_large_as_an_item_and_no_larger(
    empty_table: Table, request: pytest.FixtureRequest
) -> None:
    moto, half = backend(request) == "moto", "x" * 200_000
    names = len("pkpskshalfrest")
    rest = "x" * ((405_000 if moto else 400 * 1024) - names - len(half))
    empty_table.update(KEY, "SET #half = :half", half=half)

    with pytest.raises(TooLarge):
        empty_table.update(KEY, "SET #rest = :rest", rest=rest + "x")
    row, _ = empty_table.update(KEY, "SET #rest = :rest", rest=rest)

    assert list(empty_table.partition("p")) == [row] == [{**KEY, "half": half, "rest": rest}]
    # moto counts what was there in addition to what takes its place.
    with pytest.raises(TooLarge) if moto else contextlib.nullcontext():
        empty_table.update(KEY, "SET #half = :half", half=half)


def test_partition_has_its_rows_of_all_pages_in_the_order_of_their_keys(
    empty_table: Table,
) -> None:
    for number in (10, 1, 3, 2):
        empty_table.update({"pk": "p", "sk": str(number)}, "SET #x = :x", x="x" * 400_000)
    empty_table.update({"pk": "other", "sk": "1"}, "SET #x = :x", x="x")

    assert [row["sk"] for row in empty_table.partition("p")] == ["1", "10", "2", "3"]


def test_index_has_the_keys_of_rows_with_a_due_time_earliest_first(
    empty_table: Table,
) -> None:
    for sk, due_at in {"a": 100, "b": 9, "c": 10}.items():
        values: dict[str, Any] = {"due": "due", "due_at": due_at, "x": "x"}
        empty_table.update({"pk": "p", "sk": sk}, assign(values), **values)
    empty_table.update(KEY, "SET #x = :x", x="x")

    first, second = empty_table.due(2, until=100)

    assert first == {"pk": "p", "sk": "b", "due": "due", "due_at": 9}
    assert second["sk"] == "c"
    assert empty_table.due(10, until=10) == [first, second]
    assert [row["sk"] for row in empty_table.due(10, until=100, after=second)] == ["a"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("#gone = :one", False),
        ("#gone <> :one", True),
        ("#gone <= :one", False),
        ("#gone IN (:one)", False),
        ("#map.#gone <> :one", True),
        ("#gone.#two = :one", False),
        ("#number.#two = :one", False),
        ("#number <> :text", True),
        ("#number > :one", True),
        ("#number > :ten", False),
        ("#number >= :ten", True),
        ("#number < :ten", False),
        ("#map.#two < :ten", True),
        ("#map.#two = :one OR #number = :ten AND #number = :one", False),
        ("(#map.#two = :one OR #number = :ten) AND #number = :ten", True),
    ],
)
def test_condition_holds_or_does_not(empty_table: Table, condition: str, *, holds: bool) -> None:
    values = {"number": 10, "map": {"two": 2}}
    empty_table.update(KEY, assign(values), **values)

    row, held = empty_table.update(KEY, "SET #x = :one", condition, one=1, ten=10, text="1")

    assert (held, row) == (holds, KEY | values | ({"x": 1} if holds else {}))


def test_what_is_added_to_a_set_is_in_it_once(empty_table: Table) -> None:
    empty_table.update(KEY, "ADD #set :new", new={"b", "c"})

    row, _ = empty_table.update(KEY, "ADD #set :new", new={"a", "b"})

    assert row["set"] == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("changes", "lenient"),
    [
        ({"ExpressionAttributeValues": {":a": {"S": "x"}, ":unused": {"S": "x"}}}, ""),
        ({"ExpressionAttributeNames": {"#a": "a", "#unused": "b"}}, ""),
        ({"ExpressionAttributeValues": {":undefined": {"S": "x"}}}, ""),
        ({"ExpressionAttributeNames": {"#undefined": "a"}}, ""),
        ({"UpdateExpression": "REMOVE #a", "ExpressionAttributeValues": {}}, ""),
        ({"UpdateExpression": "SET due = :a", "ExpressionAttributeNames": {}}, "moto"),
        ({"UpdateExpression": "SET status = :a, #a = :a"}, ""),
        ({"UpdateExpression": "SET #a = :a, #a = :a"}, "emulated"),
        ({"UpdateExpression": "SET #a = :a SET due = :a"}, "emulated"),
        ({"UpdateExpression": "SET #a = #a + :a"}, ""),
        ({"ExpressionAttributeNames": {"#a": "sk"}}, ""),
        ({"ExpressionAttributeNames": {"#a": "due_at"}}, "moto"),
        ({"ExpressionAttributeValues": {":a": {"S": 1}}}, ""),
        ({"Key": {"pk": {"S": "p"}}}, ""),
        ({"Key": {"pk": {"S": "p"}, "sk": {"N": "1"}}}, ""),
        ({"Key": {"pk": {"S": "p"}, "sk": {"S": "s"}, "more": {"S": "x"}}}, ""),
        ({"Key": "p"}, ""),
        ({"ReturnValues": "EVERYTHING"}, ""),
        ({"NoSuchParameter": "x"}, ""),
        ({"TableName": "another"}, ""),
    ],
)
def test_request_that_aws_refuses_is_refused(
    empty_table: Table, request: pytest.FixtureRequest, changes: Any, lenient: str
) -> None:
    wrong: Any = {
        "TableName": "table",
        "Key": to_item(KEY),
        "UpdateExpression": "SET #a = :a",
        "ExpressionAttributeNames": {"#a": "a"},
        "ExpressionAttributeValues": {":a": {"S": "x"}},
    } | changes

    expected = pytest.raises((ClientError, ParamValidationError, NotSupported))
    with contextlib.nullcontext() if backend(request) == lenient else expected:
        empty_table.client.update_item(**wrong)


@pytest.mark.parametrize(
    ("update", "condition"),
    [
        ("SET #a = list_append(#a, :a)", ""),
        ("SET #a = #a - :a", ""),
        ("SET #a.#b = :a", ""),
        ("REMOVE #a.#b", ""),
        ("DELETE #a :a", ""),
        ("SET #a := :a", ""),
        ("SET #a = :a", "contains(#a, :a)"),
        ("SET #a = :a", "size(#a) < :a"),
        ("SET #a = :a", "begins_with(#a, :a)"),
        ("SET #a = :a", "NOT #a = :a"),
        ("SET #a = :a", "#a BETWEEN :a AND :a"),
        ("SET #a = :a", "#a.#b.#c = :a"),
        ("SET #a = :a", "#a[0] = :a"),
        ("SET #a = :a", "(#a = :a"),
    ],
)
def test_fake_refuses_what_it_does_not_know(update: str, condition: str) -> None:
    """It does so by an exception that the handler does not take for an answer of AWS."""
    table = Table(cast("DynamoDBClient", FakeDynamoDB("table")), "table")

    with pytest.raises(NotSupported):
        table.update(KEY, update, condition, a="x")


def test_fake_refuses_parameters_that_it_does_not_know() -> None:
    fake = FakeDynamoDB("table")

    for more in ({"ReturnValues": "UPDATED_OLD"}, {"ReturnItemCollectionMetrics": "SIZE"}):
        with pytest.raises(NotSupported):
            fake.update_item(
                TableName="table", Key=to_item(KEY), UpdateExpression="REMOVE due", **more
            )
    with pytest.raises(NotSupported):
        fake.scan(TableName="table", FilterExpression="attribute_exists(due)")
