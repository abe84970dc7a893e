"""Values become items and items values, as boto3's own types do it."""

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from handler import rows
from handler.instances import Status

TEXT = st.text(max_size=5)
INTEGERS = st.integers(-(10**37), 10**37)
VALUES = st.recursive(
    st.none() | st.booleans() | TEXT | INTEGERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.dictionaries(TEXT, VALUES, max_size=3))
def test_items_are_boto3s_and_come_back_as_they_were(values: dict[str, Any]) -> None:
    item = rows.to_item(values)

    assert item == {name: TypeSerializer().serialize(value) for name, value in values.items()}
    assert rows.from_item(item) == values
    plain = {name: TypeDeserializer().deserialize(typed) for name, typed in item.items()}
    assert rows.from_item(item) == plain


def test_status_is_its_word() -> None:
    assert rows.to_item({"status": Status.READY}) == {"status": {"S": "ready"}}


@pytest.mark.parametrize("value", [1.5, Decimal(1), b"bytes", {"a", "set"}, object()])
def test_what_rows_do_not_have_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=f"a row has no {type(value).__name__}"):
        rows.to_item({"value": value})
