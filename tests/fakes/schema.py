"""The keys of the table and of its one index, as template.yaml declares them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.fakes.errors import InvalidRequestError
from tests.fakes.numerals import decimal
from tests.fakes.sizes import text_size
from tests.fakes.values import Item, Value

INDEX = "due"
KEY = ("pk", "sk")
INDEX_KEY = ("due", "due_at")
KEYS: dict[str | None, tuple[str, str]] = {None: KEY, INDEX: INDEX_KEY}
TYPES = {"pk": "S", "sk": "S", "due": "S", "due_at": "N"}
HASH_BYTES, RANGE_BYTES = 2048, 1024

type Identity = tuple[str, str]
type IndexRow = tuple[Decimal, str, str]

_MISMATCH = "The provided key element does not match the schema"
_INVALID = "One or more parameter values were invalid: "
_UNSUPPORTED = "One or more parameter values are not valid. "


def identity(key: Mapping[str, Any]) -> Identity:
    """The pair that a request's Key stands for."""
    if len(key) != len(KEY) or "pk" not in key or "sk" not in key:
        raise InvalidRequestError(_MISMATCH)
    partition, row = key["pk"], key["sk"]
    if partition.keys() != {"S"} or row.keys() != {"S"}:
        raise InvalidRequestError(_MISMATCH)
    return _checked(partition["S"], row["S"])


def identity_of(item: Item) -> Identity:
    """The pair under which a whole item is kept."""
    for name in KEY:
        if name not in item:
            raise InvalidRequestError(f"{_INVALID}Missing the key {name} in the item")
        if "S" not in item[name]:
            raise InvalidRequestError(
                f"{_INVALID}Type mismatch for key {name} expected: S "
                f"actual: {next(iter(item[name]))}"
            )
    return _checked(item["pk"]["S"], item["sk"]["S"])


def _checked(partition: str, row: str) -> Identity:
    if not partition or not row:
        raise InvalidRequestError(
            f"{_UNSUPPORTED}The AttributeValue for a key attribute cannot contain an empty string "
            f"value. Key: {'sk' if partition else 'pk'}"
        )
    if text_size(partition) > HASH_BYTES:
        raise InvalidRequestError(
            f"{_INVALID}Size of hashkey has exceeded the maximum size limit of {HASH_BYTES} bytes"
        )
    if text_size(row) > RANGE_BYTES:
        raise InvalidRequestError(
            f"{_INVALID}Aggregated size of all range keys has exceeded the size limit of "
            f"{RANGE_BYTES} bytes"
        )
    return partition, row


def check_index_key(item: Item) -> None:
    """An index's key attribute may be missing, but not of another type, empty or too long."""
    for name in INDEX_KEY:
        value: Value | None = item.get(name)
        if value is None:
            continue
        expected = TYPES[name]
        if expected not in value:
            raise InvalidRequestError(
                f"{_INVALID}Type mismatch for Index Key {name} Expected: {expected} "
                f"Actual: {next(iter(value))} IndexName: {INDEX}"
            )
        if expected == "S" and not 0 < text_size(value["S"]) <= HASH_BYTES:
            raise InvalidRequestError(
                f"{_UNSUPPORTED}A value specified for a secondary index key is not supported. The "
                "AttributeValue for a key attribute cannot contain an empty string value, nor more "
                f"than {HASH_BYTES} bytes. IndexName: {INDEX}, IndexKey: {name}"
            )


def index_entry(item: Item | None) -> Item | None:
    """What the index holds of an item: its keys, or nothing if it lacks one of the index's."""
    if item is None or "due" not in item or "due_at" not in item:
        return None
    return {name: item[name] for name in (*KEY, *INDEX_KEY)}


def index_row(item: Item) -> IndexRow:
    """Where an item stands within its partition of the index."""
    return decimal(item["due_at"]["N"]), item["pk"]["S"], item["sk"]["S"]
