"""Values become items, and items values."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.dynamodb import Table, TooLarge, from_item, to_item
from handler.values import Status

TEXT = st.text(max_size=5)
INTEGERS = st.integers(-(10**37), 10**37)
VALUES = st.recursive(
    st.none() | st.booleans() | TEXT | INTEGERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.dictionaries(TEXT, VALUES, max_size=3))
def test_items_come_back_as_they_were(values: dict[str, Any]) -> None:
    item = to_item(values)

    assert from_item(item) == values


def test_status_is_its_word() -> None:
    assert to_item({"status": Status.READY}) == {"status": {"S": "ready"}}


@pytest.mark.parametrize("value", [1.5, object()])
def test_value_of_a_type_that_dynamodb_does_not_have_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        to_item({"value": value})


def test_numbers_are_whole() -> None:
    (number,) = from_item({"number": {"N": "7"}}).values()

    assert type(number) is int


def test_row_may_be_as_large_as_an_item_and_no_larger(
    empty_table: Table, request: pytest.FixtureRequest
) -> None:
    moto = request.node.callspec.params["empty_table"] == "moto"
    key, half = {"pk": "p", "sk": "s"}, "x" * 200_000
    names = len("pkpskshalfrest")
    rest = "x" * ((405_000 if moto else 400 * 1024) - names - len(half))
    empty_table.update(key, "SET #half = :half", half=half)

    with pytest.raises(TooLarge):
        empty_table.update(key, "SET #rest = :rest", rest=rest + "x")
    row, _ = empty_table.update(key, "SET #rest = :rest", rest=rest)

    assert list(empty_table.partition("p")) == [row] == [{**key, "half": half, "rest": rest}]
    # moto counts what was there in addition to what takes its place.
    with pytest.raises(TooLarge) if moto else contextlib.nullcontext():
        empty_table.update(key, "SET #half = :half", half=half)
