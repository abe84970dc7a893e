"""One contract, two tables: the fake of the fast tests and the emulator's DynamoDB.

Each case states documented behaviour of DynamoDB that the product relies on. Where the emulator
is known to differ from AWS, the case runs against it all the same, with the reason beside it,
and says so the day that it does not differ any more.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.contract import (
    KEY,
    Item,
    Subject,
    emulated,
    emulator_client,
    emulator_differs,
    faked,
    items,
    m,
    n,
    refused,
    rows,
    s,
    sorted_sets,
)

OTHER = {"pk": s("USER#u"), "sk": s("INSTANCE#1")}


@pytest.fixture(scope="module")
def emulator_table() -> Iterator[Subject]:
    with emulator_client() as client:
        yield emulated(client)


@pytest.fixture(params=["fake", pytest.param("emulator", marks=pytest.mark.slow)])
def table(request: pytest.FixtureRequest) -> Subject:
    if request.param == "fake":
        return faked()
    subject: Subject = request.getfixturevalue("emulator_table")
    subject.empty()
    return subject


# --- Conditions -------------------------------------------------------------------------------

THERE = {
    "num": n(5),
    "word": s("hello"),
    "flag": {"BOOL": True},
    "nil": {"NULL": True},
    "doc": m(num=n(7), deep=m(leaf=s("x")), list=items(n(1), s("two"))),
    "tags": {"SS": ["a", "b"]},
    "nums": {"NS": ["1", "2"]},
    "many": items(n(1), s("two"), m(k=n(3))),
}


@rows(
    "condition value holds",
    ("num = :v", n(5), True),
    ("num = :v", n("5.00"), True),
    ("num = :v", s("5"), False),
    ("num <> :v", s("5"), True),
    ("num <> :v", n("5.0"), False),
    ("gone = :v", n(5), False),
    ("gone <> :v", n(5), True),
    ("gone <> nowhere AND num = :v", n(5), True),
    ("gone = nowhere OR num <> :v", n(5), False),
    ("NOT gone = :v", n(5), True),
    ("NOT gone < :v", n(5), True),
    ("num < :v", n(10), True),
    ("num > :v", n("4.9"), True),
    ("num >= :v", n(5), True),
    ("num <= :v", n(4), False),
    ("num < :v", s("9"), False),
    ("gone < :v", n(9), False),
    ("word < :v", s("help"), True),
    ("flag = :v", {"BOOL": True}, True),
    ("flag = :v", s("true"), False),
    ("nil = :v", {"NULL": True}, True),
    ("tags = :v", {"SS": ["b", "a"]}, True),
    ("many = :v", items(n(1), s("two"), m(k=n("3.0"))), True),
    ("doc.num = :v", n(7), True),
    ("doc.deep.leaf = :v", s("x"), True),
    ("doc.#l[0] = :v", n(1), True),
    ("doc.#l[9] = :v", n(1), False),
    ("doc.gone.leaf = :v", s("x"), False),
    ("word.num = :v", s("x"), False),
    ("many[2].k = :v", n(3), True),
    ("num BETWEEN :v AND :v", n(5), True),
    ("gone BETWEEN :v AND :v", n(5), False),
    ("num BETWEEN doc.#l[0] AND :v", n(6), True),
    ("num IN (:v, doc.num)", n(5), True),
    ("num IN (:v)", s("5"), False),
    ("gone IN (:v)", n(5), False),
    ("begins_with(word, :v)", s("he"), True),
    ("begins_with(num, :v)", s("5"), False),
    ("begins_with(gone, :v)", s("5"), False),
    ("contains(word, :v)", s("ell"), True),
    ("contains(tags, :v)", s("a"), True),
    ("contains(tags, :v)", s("c"), False),
    ("contains(nums, :v)", n("1.0"), True),
    ("contains(many, :v)", s("two"), True),
    ("contains(many, :v)", m(k=n(3)), True),
    ("contains(gone, :v)", s("a"), False),
    ("size(word) = :v", n(5), True),
    ("size(tags) = :v", n(2), True),
    ("size(doc) > :v", n(2), True),
    ("size(num) = :v", n(1), False),
    ("size(num) < :v", n(9), False),
    ("size(gone) = :v", n(0), False),
    ("attribute_type(num, :v)", s("N"), True),
    ("attribute_type(num, :v)", s("S"), False),
    ("attribute_type(gone, :v)", s("S"), False),
    ("attribute_exists(doc.num) AND num = :v", n(5), True),
    ("attribute_not_exists(doc.gone) AND num = :v", n(5), True),
    ("attribute_exists(nil) AND num = :v", n(5), True),
    ("num = :v OR num = word AND gone = word", n(5), True),
    ("(num = :v OR num = word) AND gone = word", n(5), False),
    ("NOT num = :v AND gone = word", n(6), False),
    ("NOT (num = :v AND gone = word)", n(5), True),
    ("num = :v and not gone = word", n(5), True),
    differs={
        "gone <> nowhere AND num = :v": "the emulator takes two missing attributes for equal",
        "gone = nowhere OR num <> :v": "the emulator takes two missing attributes for equal",
        "begins_with(num, :v)": "the emulator refuses an attribute of another type",
        "size(num) < :v": "the emulator gives a number a size",
        "contains(nums, :v)": "the emulator compares the members of number sets as text",
    },
)
def test_a_condition_decides_on_what_is_there(
    table: Subject,
    condition: str,
    value: Item,
    holds: bool,
) -> None:
    table.put(THERE)
    names = {"#l": "list"} if "#l" in condition else None

    def attempt() -> None:
        table.update("SET written = :v", {":v": value}, condition=condition, names=names)

    if holds:
        attempt()
    else:
        with refused("ConditionalCheckFailedException"):
            attempt()
    assert ("written" in (table.get() or {})) is holds


@rows(
    "condition value",
    ("num <", n(1)),
    ("", n(1)),
    ("num = :v AND", n(1)),
    ("num == :v", n(1)),
    ("num", n(1)),
    ("size(num)", n(1)),
    ("attribute_exists(:v)", n(1)),
    ("attribute_exists(num) = :v", n(1)),
    ("attribute_exists(num, word) AND num = :v", n(1)),
    ("unknown(num, :v)", n(1)),
    ("BEGINS_WITH(word, :v)", s("h")),
    ("num < :v", {"BOOL": True}),
    ("num < :v", items(n(1))),
    ("num BETWEEN :v AND :low", n(9)),
    ("begins_with(word, :v)", n(5)),
    ("attribute_type(num, :v)", s("NUMBER")),
    ("attribute_type(num, word) OR num = :v", n(1)),
    ("num IN () OR num = :v", n(1)),
    ("((num = :v))", n(1)),
    ("num = num OR num = :v", n(1)),
    ("contains(word, word) OR num = :v", n(1)),
    ("status = :v", s("ready")),
    ("num = :undefined OR num = :v", n(1)),
    ("#undefined = :v", n(1)),
    ("_num = :v", n(1)),
    differs={
        "num = num OR num = :v": "the emulator compares an attribute with itself",
        "BEGINS_WITH(word, :v)": "the emulator knows functions in either case",
        "num < :v": "the emulator orders any type, as false",
        "attribute_type(num, :v)": "the emulator knows any type, as false",
        "attribute_type(num, word) OR num = :v": "the emulator reads the type from the item",
        "_num = :v": "the emulator lets a name begin with an underscore",
    },
)
def test_a_malformed_condition_is_refused(table: Subject, condition: str, value: Item) -> None:
    values = {":v": value} | ({":low": n(1)} if ":low" in condition else {})
    table.put(THERE)
    with refused():
        table.update("SET written = :v", values, condition=condition)


def test_unused_values_and_names_are_refused(table: Subject) -> None:
    with refused():
        table.update("SET a = :a", {":a": n(1), ":b": n(1)})
    with refused():
        table.update("SET a = :a", {":a": n(1)}, names={"#b": "b"})
    with refused():
        table.update("SET #a = :a", {":a": n(1)}, names={"#a": "a", "#ab": "ab"})
    with refused():
        table.put(ExpressionAttributeValues={":a": n(1)})


@emulator_differs("the emulator takes any longer placeholder for a use of a shorter one")
def test_a_placeholder_is_used_only_as_a_whole(table: Subject) -> None:
    with refused():
        table.update("SET a = :ab", {":a": n(1), ":ab": n(1)})


def test_a_short_circuit_does_not_leave_a_value_unused(table: Subject) -> None:
    table.put({"a": n(1)})
    table.update("SET a = :c", {":a": n(1), ":b": n(2), ":c": n(3)}, condition="a = :a OR b = :b")
    assert table.get() == KEY | {"a": n(3)}


# --- The product's own histories --------------------------------------------------------------

FACT = "attribute_not_exists(#a) OR #a.updated_at < :t OR (#a.updated_at = :t AND #a.#s <> :x)"
NAMES = {"#a": "ca_1", "#s": "status"}


def _record(table: Subject, at: int, status: str) -> Item:
    answer = table.update(
        "SET #a = :a",
        {":a": m(status=s(status), updated_at=n(at)), ":t": n(at), ":x": s(status)},
        condition=FACT,
        names=NAMES,
        ReturnValues="ALL_NEW",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    attributes: Item = answer["Attributes"]
    return attributes


def test_a_first_fact_creates_the_item_and_returns_it_whole(table: Subject) -> None:
    assert _record(table, 1, "ACTIVE") == KEY | {"ca_1": m(status=s("ACTIVE"), updated_at=n(1))}


def test_a_newer_fact_replaces_an_older_one(table: Subject) -> None:
    _record(table, 1, "INITIATED")
    assert _record(table, 2, "ACTIVE")["ca_1"] == m(status=s("ACTIVE"), updated_at=n(2))


def test_a_fact_of_the_same_moment_counts_only_if_it_differs(table: Subject) -> None:
    _record(table, 1, "INITIATED")
    _record(table, 1, "ACTIVE")
    with refused("ConditionalCheckFailedException"):
        _record(table, 1, "ACTIVE")


def test_a_stale_fact_is_refused_and_comes_back_with_the_item(table: Subject) -> None:
    _record(table, 10, "ACTIVE")
    with refused("ConditionalCheckFailedException") as caught:
        _record(table, 9, "EXPIRED")
    answer: Any = caught.value.response
    assert answer["Item"] == KEY | {"ca_1": m(status=s("ACTIVE"), updated_at=n(10))}
    assert answer["Error"]["Message"] == "The conditional request failed"
    assert answer["message"] == "The conditional request failed"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert caught.value.operation_name == "UpdateItem"


def test_the_client_names_the_exception_of_a_failed_condition(table: Subject) -> None:
    with pytest.raises(table.client.exceptions.ConditionalCheckFailedException) as caught:
        table.update(None, condition="attribute_exists(pk)")
    assert isinstance(caught.value, ClientError)
    assert "Item" not in caught.value.response
    assert not hasattr(table.client.exceptions, "ValidationException")


def test_a_failed_condition_returns_no_item_that_was_not_asked_for(table: Subject) -> None:
    table.put()
    with refused("ConditionalCheckFailedException") as caught:
        table.update("SET a = :a", {":a": n(1)}, condition="attribute_exists(a)")
    assert "Item" not in caught.value.response


CLAIM = (
    "attribute_not_exists(#s) OR #s = :waiting OR #s = :retrying AND due_at <= :now "
    "OR #s = :creating AND lease_until < :now"
)


def _claim(table: Subject, token: str, now: int) -> Item:
    answer = table.update(
        "SET #s = :creating, #t = :token, lease_until = :until, due = :due, due_at = :until "
        "ADD attempts :one",
        {
            ":creating": s("creating"),
            ":waiting": s("waiting"),
            ":retrying": s("retrying"),
            ":now": n(now),
            ":token": s(token),
            ":until": n(now + 35),
            ":due": s("DUE"),
            ":one": n(1),
        },
        condition=CLAIM,
        names={"#s": "status", "#t": "token"},
        Key=OTHER,
        ReturnValues="ALL_NEW",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    attributes: Item = answer["Attributes"]
    return attributes


def test_only_one_claim_holds_until_its_lease_ends(table: Subject) -> None:
    assert _claim(table, "one", 100)["attempts"] == n(1)
    with refused("ConditionalCheckFailedException") as caught:
        _claim(table, "two", 135)
    answer: Any = caught.value.response
    assert answer["Item"]["token"] == s("one")
    assert _claim(table, "two", 136)["attempts"] == n(2)


def test_only_the_holder_settles_and_settling_leaves_the_index(table: Subject) -> None:
    _claim(table, "one", 100)
    settle: Item = {
        "update": "SET #s = :ready, body = :body REMOVE due, due_at, #t",
        "condition": "#t = :mine",
        "names": {"#s": "status", "#t": "token"},
        "Key": OTHER,
    }
    values = {":ready": s("ready"), ":body": m(id=s("i"))}
    with refused("ConditionalCheckFailedException"):
        table.update(**settle, values=values | {":mine": s("two")})
    table.update(**settle, values=values | {":mine": s("one")})
    assert table.get(OTHER) == OTHER | {
        "status": s("ready"),
        "body": m(id=s("i")),
        "lease_until": n(135),
        "attempts": n(1),
    }
    assert table.query("due = :d", {":d": s("DUE")}, IndexName="due")["Items"] == []


def test_a_claim_needs_no_status_when_the_item_is_new(table: Subject) -> None:
    assert _claim(table, "one", 1)["status"] == s("creating")


# --- Updates ----------------------------------------------------------------------------------


@rows(
    "update before value after",
    ("SET a = :v", {"a": n(1)}, n(2), {"a": n(2)}),
    ("SET a = a + :v", {"a": n(1)}, n("0.10"), {"a": n("1.1")}),
    ("SET a = :v - a", {"a": n(1)}, n(5), {"a": n(4)}),
    ("SET b = a, a = :v", {"a": n(1)}, n(2), {"a": n(2), "b": n(1)}),
    ("SET b = a REMOVE a, c", {"a": n(1)}, None, {"b": n(1)}),
    ("SET a = if_not_exists(a, :v)", {"a": n(1)}, n(2), {"a": n(1)}),
    ("SET b = if_not_exists(b, :v)", {}, n(2), {"b": n(2)}),
    ("SET b = if_not_exists(b, :v) + :v", {}, n(2), {"b": n(4)}),
    ("SET a = list_append(a, :v)", {"a": items(n(1))}, items(n(2)), {"a": items(n(1), n(2))}),
    ("SET a = list_append(:v, a)", {"a": items(n(1))}, items(n(2)), {"a": items(n(2), n(1))}),
    ("SET a = list_append(if_not_exists(a, :v), :v)", {}, items(n(2)), {"a": items(n(2), n(2))}),
    ("SET a.b = :v", {"a": m(c=n(1))}, n(2), {"a": m(b=n(2), c=n(1))}),
    ("SET a.b.c = :v", {"a": m(b=m())}, n(2), {"a": m(b=m(c=n(2)))}),
    ("SET a[0] = :v", {"a": items(n(1), n(3))}, n(2), {"a": items(n(2), n(3))}),
    ("SET a[7] = :v", {"a": items(n(1))}, n(2), {"a": items(n(1), n(2))}),
    ("REMOVE a[0], a[2]", {"a": items(n(1), n(2), n(3))}, None, {"a": items(n(2))}),
    ("SET a[2] = :v REMOVE a[0]", {"a": items(n(1), n(2), n(3))}, n(9), {"a": items(n(2), n(9))}),
    ("REMOVE a[9]", {"a": items(n(1))}, None, {"a": items(n(1))}),
    ("REMOVE a.b", {"a": m(b=n(1))}, None, {"a": m()}),
    ("REMOVE a.gone", {"a": m(b=n(1))}, None, {"a": m(b=n(1))}),
    ("ADD a :v", {"a": n("1.5")}, n(2), {"a": n("3.5")}),
    ("ADD a :v", {}, n(2), {"a": n(2)}),
    ("ADD a :v", {"a": n(2)}, n(-2), {"a": n(0)}),
    ("ADD a :v", {"a": {"SS": ["x"]}}, {"SS": ["x", "y"]}, {"a": {"SS": ["x", "y"]}}),
    ("ADD a.b :v", {"a": m(b=n(1))}, n(2), {"a": m(b=n(3))}),
    ("DELETE a :v", {"a": {"SS": ["x", "y"]}}, {"SS": ["x", "z"]}, {"a": {"SS": ["y"]}}),
    ("DELETE a :v", {"a": {"SS": ["x"]}}, {"SS": ["x"]}, {}),
    ("DELETE a :v", {}, {"SS": ["x"]}, {}),
    ("set a = :v remove b", {"b": n(1)}, n(1), {"a": n(1)}),
    ("SET a = :v", {}, n("1E+2"), {"a": n(100)}),
    ("SET a = :v", {}, n("-0.50"), {"a": n("-0.5")}),
    ("SET a = :v", {}, s(""), {"a": s("")}),
    differs={"REMOVE a[0], a[2]": "the emulator numbers the list again after each removal"},
)
def test_an_update_changes_what_it_names(
    table: Subject, update: str, before: Item, value: Item | None, after: Item
) -> None:
    table.put(before)
    values = None if value is None else {":v": value}
    answer = table.update(update, values, ReturnValues="ALL_NEW")
    assert sorted_sets(answer["Attributes"]) == KEY | after
    assert table.get() == KEY | after


@rows(
    "update value",
    ("SET gone.b = :v", n(1)),
    ("SET a.b = :v", n(1)),
    ("SET m.gone.b = :v", n(1)),
    ("SET m[0] = :v", n(1)),
    ("REMOVE gone.b", None),
    ("SET b = gone", None),
    ("SET b = gone + :v", n(1)),
    ("SET b = a + :v", s("1")),
    ("SET b = m + :v", n(1)),
    ("SET b = list_append(a, :v)", items(n(1))),
    ("SET b = list_append(gone, :v)", items(n(1))),
    ("SET b = list_append(:v)", items(n(1))),
    ("SET b = if_not_exists(:v, :v)", n(1)),
    ("SET b = :v + :v + :v", n(1)),
    ("SET a = :v, a = :v", n(1)),
    ("SET a = :v REMOVE a", n(1)),
    ("SET m.b = :v, m = :v", n(1)),
    ("SET m.b = :v, m[0] = :v", n(1)),
    ("SET b = :v SET c = :v", n(1)),
    ("SET pk = :v", s("x")),
    ("SET sk = :v", s("ACCOUNTS")),
    ("REMOVE sk", None),
    ("ADD a :v", s("x")),
    ("ADD m :v", n(1)),
    ("ADD tags :v", n(1)),
    ("ADD m a", None),
    ("DELETE a :v", {"SS": ["x"]}),
    ("DELETE a :v", n(1)),
    ("", None),
    ("HELLO a = :v", n(1)),
    ("SET a :v", n(1)),
    ("SET :v = a", n(1)),
    ("SET a = f(:v)", n(1)),
    ("SET a = :v", {"SS": []}),
    ("SET a = :v", {"SS": ["x", "x"]}),
    ("SET a = :v", n("12e400")),
    ("SET a = :v", n("one")),
    ("SET a = :v", n("1" * 39)),
    ("SET due = :v", n(1)),
    ("SET due = :v", s("")),
    ("SET due_at = :v", s("1")),
    ("SET due_at = :v", {"NULL": True}),
    ("SET status = :v", s("ready")),
    differs={
        "SET m[0] = :v": "the emulator does nothing",
        "REMOVE gone.b": "the emulator does nothing",
        "SET b = a + :v": "the emulator leaves out what is no number",
        "SET b = m + :v": "the emulator leaves out what is no number",
        "SET b = list_append(a, :v)": "the emulator leaves out what is no list",
        "SET b = if_not_exists(:v, :v)": "the emulator takes a value for a path",
        "SET b = :v + :v + :v": "the emulator adds more than two",
        "SET a = :v, a = :v": "the emulator does not see overlapping paths",
        "SET a = :v REMOVE a": "the emulator does not see overlapping paths",
        "SET m.b = :v, m = :v": "the emulator does not see overlapping paths",
        "SET m.b = :v, m[0] = :v": "the emulator does not see conflicting paths",
        "SET b = :v SET c = :v": "the emulator forgets the first of two clauses",
        "ADD m a": "the emulator skips what it cannot read",
        "SET a :v": "the emulator skips what it cannot read",
        "SET :v = a": "the emulator skips what it cannot read",
    },
)
def test_an_update_that_cannot_be_done_is_refused_and_changes_nothing(
    table: Subject, update: str, value: Item | None
) -> None:
    before = KEY | {"a": n(1), "m": m(k=n(1)), "tags": {"SS": ["x"]}}
    table.put(before)
    with refused():
        table.update(update, None if value is None else {":v": value})
    assert table.get() == before


def test_an_update_without_expression_creates_the_item(table: Subject) -> None:
    assert table.update(None, ReturnValues="ALL_NEW")["Attributes"] == KEY


@emulator_differs("the emulator creates the item")
def test_removing_from_an_item_that_is_not_there_does_not_create_it(table: Subject) -> None:
    assert "Attributes" not in table.update("REMOVE a", ReturnValues="ALL_NEW")
    assert table.get() is None


def test_a_condition_is_decided_before_the_update_is_tried(table: Subject) -> None:
    with refused("ConditionalCheckFailedException"):
        table.update("SET a = gone", condition="attribute_exists(pk)")


@rows(
    "asked expected",
    ("NONE", None),
    ("ALL_OLD", KEY | {"a": n(1), "m": m(x=n(1), y=n(2))}),
    ("ALL_NEW", KEY | {"a": n(2), "b": n(2), "m": m(x=n(2), y=n(2))}),
    ("UPDATED_OLD", {"a": n(1), "m": m(x=n(1))}),
    ("UPDATED_NEW", {"a": n(2), "b": n(2), "m": m(x=n(2))}),
)
def test_an_update_returns_what_was_asked_for(
    table: Subject, asked: str, expected: Item | None
) -> None:
    table.put({"a": n(1), "m": m(x=n(1), y=n(2))})
    answer = table.update("SET a = :v, b = :v, m.x = :v", {":v": n(2)}, ReturnValues=asked)
    assert answer.get("Attributes") == expected


def test_the_old_values_of_a_new_item_are_not_returned(table: Subject) -> None:
    for asked in ("ALL_OLD", "UPDATED_OLD"):
        answer = table.update("SET a = :v", {":v": n(1)}, ReturnValues=asked, Key=_key(asked))
        assert "Attributes" not in answer


def _key(sk: str, pk: str = "P") -> Item:
    return {"pk": s(pk), "sk": s(sk)}


@pytest.mark.parametrize("operation", ["update_item", "put_item", "delete_item"])
def test_an_unknown_return_value_is_refused(table: Subject, operation: str) -> None:
    field = "Item" if operation == "put_item" else "Key"
    with refused():
        table.call(operation, **{field: KEY}, ReturnValues="DOG")
    if operation != "update_item":
        with refused():
            table.call(operation, **{field: KEY}, ReturnValues="ALL_NEW")


# --- Keys, sizes, types -----------------------------------------------------------------------


@rows(
    "what key",
    ("an empty partition key", _key("s", "")),
    ("an empty sort key", _key("")),
    ("a partition key of 2049 bytes", _key("s", "é" * 1024 + "x")),
    ("a sort key of 1025 bytes", _key("é" * 512 + "x")),
    ("a number for a key", {"pk": n(1), "sk": s("s")}),
    ("half a key", {"pk": s("p")}),
)
def test_a_key_outside_its_limits_is_refused(table: Subject, what: str, key: Item) -> None:
    assert what
    with refused():
        table.update("SET a = :v", {":v": n(1)}, Key=key)
    with refused():
        table.call("put_item", Item=key)
    with refused():
        table.call("get_item", Key=key)


def test_a_key_at_its_limits_is_kept(table: Subject) -> None:
    key = _key("é" * 512, "é" * 1024)
    table.put(key)
    assert table.get(key) == key


def test_a_key_must_not_have_more_than_the_keys(table: Subject) -> None:
    with refused():
        table.call("get_item", Key=KEY | {"a": n(1)})


def _room() -> int:
    taken = sum(len(name) + len(value["S"]) for name, value in KEY.items())
    return 400 * 1024 - taken - len("body")


def test_an_item_of_400_kb_is_kept_and_of_one_byte_more_is_not(table: Subject) -> None:
    table.put({"body": s("x" * _room())})
    with refused():
        table.put({"body": s("x" * (_room() + 1))})
    with refused():
        table.update("SET a = :v", {":v": n(1)})
    assert "a" not in (table.get() or {})


def test_a_wrongly_typed_index_key_is_refused_when_put(table: Subject) -> None:
    for wrong in ({"due": n(1)}, {"due_at": s("1")}, {"due": s("")}):
        with refused():
            table.put(wrong)


def test_what_botocore_would_not_send_is_refused_by_the_fake_too(table: Subject) -> None:
    for wrong in (
        {"Unknown": 1},
        {"ConditionExpression": 1},
        {"ExpressionAttributeValues": {":v": {"N": 1}}},
        {"ExpressionAttributeValues": {":v": {"X": "1"}}},
        {"ExpressionAttributeValues": {":v": "1"}},
    ):
        with pytest.raises(ParamValidationError):
            table.put(**wrong)
    with pytest.raises(ParamValidationError):
        table.call("get_item")
    with pytest.raises(ParamValidationError):
        table.query("pk = :p", {":p": s("P")}, Limit=0)


def test_another_table_is_not_found(table: Subject) -> None:
    with pytest.raises(table.client.exceptions.ResourceNotFoundException):
        Subject(table.client, "no-such-table").get()


# --- Put, get, delete -------------------------------------------------------------------------


def test_put_replaces_the_whole_item_and_returns_the_old_one(table: Subject) -> None:
    assert "Attributes" not in table.put({"a": n(1)}, ReturnValues="ALL_OLD")
    answer = table.put({"b": n(1)}, ReturnValues="ALL_OLD")
    assert answer["Attributes"] == KEY | {"a": n(1)}
    assert table.get() == KEY | {"b": n(1)}


def test_a_conditional_put_is_made_once(table: Subject) -> None:
    table.put({"a": n(1)}, ConditionExpression="attribute_not_exists(pk)")
    with refused("ConditionalCheckFailedException") as caught:
        table.put(
            {"a": n(2)},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    answer: Any = caught.value.response
    assert answer["Item"] == KEY | {"a": n(1)}


def test_delete_is_idempotent_and_returns_the_old_item(table: Subject) -> None:
    table.put({"a": n(1)})
    deleted = table.call("delete_item", Key=KEY, ReturnValues="ALL_OLD")
    assert deleted["Attributes"] == KEY | {"a": n(1)}
    assert "Attributes" not in table.call("delete_item", Key=KEY, ReturnValues="ALL_OLD")
    assert table.get() is None


def test_delete_obeys_its_condition(table: Subject) -> None:
    table.put({"a": n(1)})
    request: Item = {"Key": KEY, "ConditionExpression": "a = :v"}
    with refused("ConditionalCheckFailedException"):
        table.call("delete_item", **request, ExpressionAttributeValues={":v": n(2)})
    table.call("delete_item", **request, ExpressionAttributeValues={":v": n(1)})
    assert table.get() is None


def test_get_returns_only_what_is_projected(table: Subject) -> None:
    table.put(THERE)
    answer = table.call(
        "get_item",
        Key=KEY,
        ProjectionExpression="num, doc.num, doc.#l[1], many[0], many[2].k, gone, doc.gone",
        ExpressionAttributeNames={"#l": "list"},
    )
    assert answer["Item"] == {
        "num": n(5),
        "doc": m(num=n(7), list=items(s("two"))),
        "many": items(n(1), m(k=n(3))),
    }
    with refused():
        table.call("get_item", Key=KEY, ProjectionExpression="doc, doc.num")


def test_what_is_not_there_has_no_item(table: Subject) -> None:
    assert "Item" not in table.call("get_item", Key=KEY)


# --- Query and scan ---------------------------------------------------------------------------


def _fill(table: Subject, *rows: str) -> None:
    for row in rows:
        table.put(_key(row) | {"a": n(len(row))})


def _rows(answer: Item) -> list[str]:
    return [item["sk"]["S"] for item in answer["Items"]]


@rows(
    "condition values expected",
    ("pk = :p", {}, ["A", "B#1", "B#2", "a"]),
    ("pk = :p AND sk = :s", {":s": s("A")}, ["A"]),
    ("pk = :p AND sk < :s", {":s": s("B#1")}, ["A"]),
    ("pk = :p AND sk <= :s", {":s": s("B#1")}, ["A", "B#1"]),
    ("pk = :p AND sk > :s", {":s": s("B#1")}, ["B#2", "a"]),
    ("sk >= :s AND pk = :p", {":s": s("B#1")}, ["B#1", "B#2", "a"]),
    ("pk = :p AND sk BETWEEN :s AND :t", {":s": s("A"), ":t": s("B#1")}, ["A", "B#1"]),
    ("pk = :p AND begins_with(sk, :s)", {":s": s("B#")}, ["B#1", "B#2"]),
)
def test_a_query_selects_by_its_key_condition_in_the_order_of_utf8(
    table: Subject, condition: str, values: Item, expected: list[str]
) -> None:
    _fill(table, "B#2", "a", "A", "B#1")
    table.put(_key("A", "other"))
    answer = table.query(condition, {":p": s("P")} | values, ConsistentRead=True)
    assert _rows(answer) == expected
    assert answer["Count"] == answer["ScannedCount"] == len(expected)


@rows(
    "condition values",
    ("sk = :s", {":s": s("A")}),
    ("pk > :p", {":p": s("P")}),
    ("pk = :p OR pk = :q", {":p": s("P"), ":q": s("Q")}),
    ("pk = :p AND a = :a", {":p": s("P"), ":a": n(1)}),
    ("pk = :p AND sk <> :s", {":p": s("P"), ":s": s("A")}),
    ("pk = :p AND sk > :s AND sk < :t", {":p": s("P"), ":s": s("A"), ":t": s("B")}),
    ("pk = :p", {":p": n(1)}),
    ("pk = :p AND sk = :s", {":p": s("P"), ":s": s("")}),
    differs={
        "pk = :p OR pk = :q": "the emulator queries by OR",
        "pk = :p AND sk <> :s": "the emulator queries by inequality",
    },
)
def test_a_query_that_is_not_by_key_is_refused(
    table: Subject, condition: str, values: Item
) -> None:
    with refused():
        table.query(condition, values)


def test_a_query_needs_a_key_condition(table: Subject) -> None:
    with refused():
        table.call("query")


@pytest.mark.parametrize("forward", [True, False])
def test_a_query_is_paged_without_loss_or_repetition(
    table: Subject,
    forward: bool,
) -> None:
    _fill(table, "A", "B", "C", "D", "E")
    pages: list[list[str]] = []
    start: Item = {}
    while True:
        answer = table.query("pk = :p", {":p": s("P")}, Limit=2, ScanIndexForward=forward, **start)
        pages.append(_rows(answer))
        if "LastEvaluatedKey" not in answer:
            break
        assert answer["LastEvaluatedKey"] == _key(pages[-1][-1])
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert pages == (
        [["A", "B"], ["C", "D"], ["E"]] if forward else [["E", "D"], ["C", "B"], ["A"]]
    )


def test_a_page_that_ends_at_the_last_item_still_has_a_next_one(table: Subject) -> None:
    _fill(table, "A", "B")
    answer = table.query("pk = :p", {":p": s("P")}, Limit=2)
    last = table.query(
        "pk = :p", {":p": s("P")}, Limit=2, ExclusiveStartKey=answer["LastEvaluatedKey"]
    )
    assert last["Items"] == []
    assert "LastEvaluatedKey" not in last


def test_a_page_holds_a_megabyte_at_most(table: Subject) -> None:
    for row in "ABCD":
        table.put(_key(row) | {"body": s("x" * 350_000)})
    first = table.query("pk = :p", {":p": s("P")})
    assert _rows(first) == ["A", "B"]
    rest = table.query("pk = :p", {":p": s("P")}, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert _rows(rest) == ["C", "D"]
    assert "LastEvaluatedKey" not in rest


def test_a_start_key_need_not_exist_but_must_be_a_key(table: Subject) -> None:
    _fill(table, "A", "C")
    answer = table.query("pk = :p", {":p": s("P")}, ExclusiveStartKey=_key("B"))
    assert _rows(answer) == ["C"]
    with refused():
        table.query("pk = :p", {":p": s("P")}, ExclusiveStartKey={"pk": s("P")})


def test_a_filter_applies_after_the_limit(table: Subject) -> None:
    _fill(table, "A", "BB", "CC")
    answer = table.query("pk = :p", {":p": s("P"), ":a": n(2)}, FilterExpression="a = :a", Limit=2)
    assert (_rows(answer), answer["Count"], answer["ScannedCount"]) == (["BB"], 1, 2)
    assert answer["LastEvaluatedKey"] == _key("BB")


@emulator_differs("the emulator filters by keys")
def test_a_filter_of_a_query_cannot_name_a_key(table: Subject) -> None:
    with refused():
        table.query("pk = :p", {":p": s("P"), ":s": s("A")}, FilterExpression="sk = :s")


def test_a_query_projects_and_counts(table: Subject) -> None:
    _fill(table, "A", "B")
    answer = table.query("pk = :p", {":p": s("P")}, ProjectionExpression="a")
    assert answer["Items"] == [{"a": n(1)}, {"a": n(1)}]
    counted = table.query("pk = :p", {":p": s("P")}, Select="COUNT")
    assert counted["Count"] == 2
    assert "Items" not in counted


def test_a_scan_returns_everything_page_by_page(table: Subject) -> None:
    _fill(table, "A", "B", "C")
    first = table.call("scan", Limit=2)
    second = table.call("scan", ExclusiveStartKey=first["LastEvaluatedKey"])
    assert sorted(_rows(first) + _rows(second)) == ["A", "B", "C"]
    some = table.call("scan", FilterExpression="sk > :s", ExpressionAttributeValues={":s": s("A")})
    assert (sorted(_rows(some)), some["ScannedCount"]) == (["B", "C"], 3)


# --- The sparse index -------------------------------------------------------------------------


def _due(table: Subject, condition: str = "due = :d", **request: Any) -> Item:
    values = {":d": s("DUE")} | request.pop("values", {})
    return table.query(condition, values, IndexName="due", **request)


def _schedule(table: Subject, **times: float | str) -> None:
    for row, at in times.items():
        table.put(_key(row) | {"due": s("DUE"), "due_at": n(at), "extra": s("x")})


def test_the_index_holds_only_what_has_both_of_its_keys(table: Subject) -> None:
    table.put(_key("none") | {"a": n(1)})
    table.put(_key("half") | {"due": s("DUE")})
    table.put(_key("other half") | {"due_at": n(1)})
    _schedule(table, both=1)
    assert _rows(_due(table)) == ["both"]


def test_the_index_projects_the_keys_only_and_orders_by_number(table: Subject) -> None:
    _schedule(table, late=100, soon=9, sooner="8.5", overdue=-1)
    answer = _due(table)
    assert _rows(answer) == ["overdue", "sooner", "soon", "late"]
    assert answer["Items"][0] == _key("overdue") | {"due": s("DUE"), "due_at": n(-1)}


def test_the_index_selects_what_is_due(table: Subject) -> None:
    _schedule(table, late=100, soon=9, now=10)
    assert _rows(_due(table, "due = :d AND due_at <= :t", values={":t": n(10)})) == ["soon", "now"]
    between = _due(
        table, "due = :d AND due_at BETWEEN :t AND :u", values={":t": n(10), ":u": n(100)}
    )
    assert _rows(between) == ["now", "late"]


def test_the_index_is_paged_by_four_keys_through_equal_times(table: Subject) -> None:
    _schedule(table, a=5, b=5, c=5, d=6)
    first = _due(table, Limit=2)
    assert first["LastEvaluatedKey"].keys() == {"pk", "sk", "due", "due_at"}
    second = _due(table, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert sorted(_rows(first) + _rows(second)) == ["a", "b", "c", "d"]
    assert _rows(second)[-1] == "d"


def test_an_item_leaves_the_index_with_either_of_its_keys(table: Subject) -> None:
    _schedule(table, a=5, b=5, c=5)
    table.update("REMOVE due", Key=_key("a"))
    table.update("REMOVE due_at", Key=_key("b"))
    table.call("delete_item", Key=_key("c"))
    assert _due(table)["Items"] == []


def test_an_item_moves_within_the_index(table: Subject) -> None:
    _schedule(table, a=5, b=6)
    table.update("SET due_at = :t", {":t": n(7)}, Key=_key("a"))
    assert _rows(_due(table)) == ["b", "a"]


def test_the_index_cannot_be_read_consistently(table: Subject) -> None:
    with refused():
        _due(table, ConsistentRead=True)
    with refused():
        table.query("due = :d", {":d": s("DUE")}, IndexName="no-such-index")


@emulator_differs("the emulator returns the keys")
def test_the_index_refuses_to_select_what_it_does_not_hold(table: Subject) -> None:
    _schedule(table, a=5)
    with refused():
        _due(table, Select="ALL_ATTRIBUTES")


@emulator_differs("the emulator returns empty items")
def test_the_index_refuses_to_project_what_it_does_not_hold(table: Subject) -> None:
    _schedule(table, a=5)
    with refused():
        _due(table, ProjectionExpression="extra")


# --- Transactions -----------------------------------------------------------------------------

EXISTS: Item = {"ConditionExpression": "attribute_exists(pk)"}
MISSING: Item = {"ConditionExpression": "attribute_not_exists(pk)"}


def _set(key: Item, value: int, **more: object) -> tuple[str, Item]:
    values = {":v": n(value)}
    return "Update", {
        "Key": key,
        "UpdateExpression": "SET a = :v",
        "ExpressionAttributeValues": values,
        **more,
    }


def test_a_transaction_does_all_of_it(table: Subject) -> None:
    _fill(table, "checked", "deleted")
    table.transact(
        ("Put", {"Item": _key("put") | {"a": n(1)}, **MISSING}),
        _set(_key("updated"), 2),
        ("Delete", {"Key": _key("deleted")}),
        ("ConditionCheck", {"Key": _key("checked"), **EXISTS}),
    )
    assert table.get(_key("put")) == _key("put") | {"a": n(1)}
    assert table.get(_key("updated")) == _key("updated") | {"a": n(2)}
    assert table.get(_key("deleted")) is None


def test_a_cancelled_transaction_does_nothing_and_says_why(table: Subject) -> None:
    _fill(table, "there")
    with refused("TransactionCanceledException") as caught:
        table.transact(
            _set(_key("new"), 1),
            _set(_key("there"), 1, **MISSING, ReturnValuesOnConditionCheckFailure="ALL_OLD"),
            ("ConditionCheck", {"Key": _key("gone"), **EXISTS}),
        )
    reasons: Any = caught.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == [
        "None",
        "ConditionalCheckFailed",
        "ConditionalCheckFailed",
    ]
    assert reasons[1]["Item"] == _key("there") | {"a": n(5)}
    assert "Item" not in reasons[2]
    assert table.get(_key("new")) is None


def test_the_client_names_the_exception_of_a_cancelled_transaction(table: Subject) -> None:
    with pytest.raises(table.client.exceptions.TransactionCanceledException):
        table.transact(_set(_key("gone"), 1, **EXISTS))


def test_an_update_that_cannot_be_done_cancels_the_transaction(table: Subject) -> None:
    with refused("TransactionCanceledException") as caught:
        table.transact(
            _set(_key("a"), 1), ("Update", {"Key": _key("b"), "UpdateExpression": "SET a = gone"})
        )
    reasons: Any = caught.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ValidationError"]


def test_a_transaction_cannot_name_an_item_twice(table: Subject) -> None:
    with refused():
        table.transact(_set(_key("a"), 1), ("Delete", {"Key": _key("a")}))


def test_a_transaction_has_at_most_100_actions(table: Subject) -> None:
    checks = [("ConditionCheck", {"Key": _key(str(row)), **MISSING}) for row in range(101)]
    with refused():
        table.transact(*checks)
    table.transact(*checks[:100])


@emulator_differs("the emulator does the one that it knows first")
def test_an_entry_of_a_transaction_is_one_action(table: Subject) -> None:
    table.put()
    body = {"TableName": table.name, "Key": KEY}
    two: Any = {"Delete": body, "ConditionCheck": body | EXISTS}
    with refused():
        table.client.transact_write_items(TransactItems=[two])


def test_a_token_makes_a_transaction_idempotent(table: Subject) -> None:
    add = (
        "Update",
        {
            "Key": KEY,
            "UpdateExpression": "ADD a :v",
            "ExpressionAttributeValues": {":v": n(1)},
        },
    )
    table.transact(add, ClientRequestToken="token")
    table.transact(add, ClientRequestToken="token")
    assert table.get() == KEY | {"a": n(1)}
    with refused("IdempotentParameterMismatchException"):
        table.transact(_set(KEY, 1), ClientRequestToken="token")


# --- Consumed capacity ------------------------------------------------------------------------

KB = s("x" * 1024)


def _units(answer: Item) -> float:
    units: float = answer["ConsumedCapacity"]["CapacityUnits"]
    return units


TOTAL: Item = {"ReturnConsumedCapacity": "TOTAL"}
INDEXES: Item = {"ReturnConsumedCapacity": "INDEXES"}


def test_a_write_costs_a_unit_per_kb_of_the_larger_image(table: Subject) -> None:
    assert _units(table.put({"a": n(1)}, **TOTAL)) == 1
    assert _units(table.update("SET b = :v", {":v": KB}, **TOTAL)) == 2
    assert _units(table.update("REMOVE b", **TOTAL)) == 2
    assert _units(table.call("delete_item", Key=KEY, **TOTAL)) == 1
    assert "ConsumedCapacity" not in table.put()


@rows(
    "what value size",
    ("text, in UTF-8", s("aé"), 3),
    ("an integer", n(100), 2),
    ("a number of three digits", n("-12.5"), 4),
    ("a flag", {"BOOL": True}, 1),
    ("a null", {"NULL": True}, 1),
    ("a set", {"SS": ["ab", "c"]}, 3),
    ("a list", items(n(1), s("ab")), 9),
    ("a map", m(ab=n(1)), 8),
)
def test_values_count_their_documented_bytes(
    table: Subject, what: str, value: Item, size: int
) -> None:
    assert what
    taken = sum(len(name) + len(key["S"]) for name, key in KEY.items()) + len("ab") + size
    assert _units(table.put({"a": value, "b": s("x" * (1024 - taken))}, **TOTAL)) == 1
    assert _units(table.put({"a": value, "b": s("x" * (1025 - taken))}, **TOTAL)) == 2


def test_a_write_to_the_index_costs_extra_and_a_move_costs_twice(table: Subject) -> None:
    entered = table.put({"due": s("DUE"), "due_at": n(1)}, **INDEXES)["ConsumedCapacity"]
    assert entered["CapacityUnits"] == 2
    assert entered["Table"]["CapacityUnits"] == 1
    assert entered["GlobalSecondaryIndexes"]["due"]["CapacityUnits"] == 1
    assert _units(table.update("SET a = :v", {":v": n(1)}, **TOTAL)) == 1
    assert _units(table.update("SET due_at = :v", {":v": n(2)}, **TOTAL)) == 3
    assert _units(table.update("REMOVE due", **TOTAL)) == 2


def test_a_read_of_what_is_not_there_costs_the_least(table: Subject) -> None:
    assert _units(table.call("get_item", Key=KEY, **TOTAL)) == 0.5
    assert _units(table.call("get_item", Key=KEY, ConsistentRead=True, **TOTAL)) == 1


@emulator_differs("the emulator charges every read the least")
def test_a_read_costs_a_unit_per_4_kb_of_all_it_read(table: Subject) -> None:
    for row in "ABCDE":
        table.put(_key(row) | {"body": KB})
    read: Item = {"condition": "pk = :p", "values": {":p": s("P")}, **TOTAL}
    assert _units(table.query(**read)) == 1
    assert _units(table.query(**read, ConsistentRead=True)) == 2
    table.put({"body": s("x" * 4096)})
    assert _units(table.call("get_item", Key=KEY, ConsistentRead=True, **TOTAL)) == 2


def test_a_transaction_costs_double(table: Subject) -> None:
    answer = table.transact(_set(_key("a"), 1), _set(_key("b"), 1), **TOTAL)
    assert answer["ConsumedCapacity"][0]["CapacityUnits"] == 4


# --- The same, at random ----------------------------------------------------------------------

# Left out is what the cases above say that the emulator does otherwise.
SCALARS = st.sampled_from(
    [n(1), n("1.5"), n(2), n("-0.5"), s(""), s("1"), s("ab"), {"BOOL": True}, {"NULL": True}]
)
SETS = st.sampled_from([{"SS": ["a"]}, {"SS": ["a", "b"]}, {"NS": ["1"]}, {"NS": ["1", "2"]}])
VALUES = st.one_of(
    SCALARS,
    SETS,
    st.builds(items, SCALARS, SCALARS),
    st.builds(lambda x: m(x=x), st.one_of(SCALARS, SETS)),
    st.sampled_from([m(), items()]),
)
PATHS = st.sampled_from(["a", "b", "c", "a.x", "b.x", "a[0]", "b[1]"])
GIVEN = st.sampled_from([":v", ":w"])
OPERANDS = st.one_of(PATHS, GIVEN)


def _shape(text: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(text.format, *parts)


CONDITIONS = st.recursive(
    st.one_of(
        *(_shape(f"{{}} {sign} {{}}", PATHS, GIVEN) for sign in ("=", "<>")),
        *(_shape(f"{{}} {sign} :n", PATHS) for sign in ("<", "<=", ">", ">=")),
        *(_shape(f"{{}} {sign} {{}}", PATHS, PATHS) for sign in ("<", ">")),
        _shape("attribute_exists({})", PATHS),
        _shape("attribute_not_exists({})", PATHS),
        _shape("contains({}, {})", PATHS, OPERANDS),
        _shape("{} BETWEEN :n AND {}", PATHS, PATHS),
        _shape("{} IN (:v, :w)", PATHS),
    ),
    lambda inner: st.one_of(
        st.builds("({}) AND {}".format, inner.filter(lambda text: text[0] != "("), inner),
        st.builds("{} OR {}".format, inner, inner),
        st.builds("NOT {}".format, inner),
    ),
    max_leaves=4,
)
UPDATES = st.one_of(
    _shape("SET {} = {}", PATHS, OPERANDS),
    _shape("SET {} = {} + {}", PATHS, OPERANDS, OPERANDS),
    _shape("SET {} = if_not_exists({}, {})", PATHS, PATHS, OPERANDS),
    _shape("SET {} = list_append({}, {})", PATHS, OPERANDS, OPERANDS),
    _shape("SET {} = :v, {} = :w", PATHS, PATHS),
    _shape("SET {} = :v REMOVE {}", PATHS, PATHS),
    _shape("REMOVE {}, {}", PATHS, PATHS),
    _shape("ADD {} :v", PATHS),
    _shape("DELETE {} :v", PATHS),
)
ITEMS = st.fixed_dictionaries({}, optional=dict.fromkeys("abc", VALUES))
REFUSED = "ValidationException"


def _outcome(table: Subject, item: Item | None, request: Item) -> object:
    if item is None:
        table.call("delete_item", Key=KEY)
    else:
        table.put(item)
    try:
        answer = table.update(**request, ReturnValues="ALL_NEW")
    except ClientError as problem:
        return problem.response["Error"]["Code"]
    assert sorted_sets(answer["Attributes"]) == table.get()
    return sorted_sets(answer["Attributes"])


@pytest.fixture
def pair(emulator_table: Subject) -> tuple[Subject, Subject]:
    emulator_table.empty()
    return faked(), emulator_table


@pytest.mark.slow
@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    item=ITEMS,
    update=UPDATES,
    condition=CONDITIONS,
    values=st.fixed_dictionaries({":v": VALUES, ":w": VALUES, ":n": st.just(n("1.5"))}),
)
def test_fake_and_emulator_agree_on_any_update_that_is_not_refused(
    pair: tuple[Subject, Subject], item: Item, update: str, condition: str, values: Item
) -> None:
    used = {name: value for name, value in values.items() if name in update + condition}
    request: Item = {"update": update, "condition": condition} | ({"values": used} if used else {})
    fake, emulator = (_outcome(one, item, request) for one in pair)
    # The fake refuses more, and the cases above say what: it must never accept more.
    assert fake in (emulator, REFUSED)
