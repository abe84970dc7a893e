"""Attribute values: let in, copied, ordered and measured as DynamoDB does.

Inside the fake a value is never changed in place and is always in canonical form (numbers
shortened, sets sorted): equality is `==`, and keeping an old item costs nothing.
"""

import marshal
from collections.abc import Callable
from typing import Any

from tests.fakes.errors import InvalidRequestError, refused
from tests.fakes.numerals import canonical, decimal

type Value = dict[str, Any]
type Item = dict[str, Value]

MAX_DEPTH = 32
SETS = frozenset({"SS", "NS", "BS"})
ORDERED = frozenset({"S", "N", "B"})
_WORDS = {"SS": "string", "NS": "number", "BS": "binary"}


def admitted(value: object, depth: int = 1) -> Value:
    """A checked copy, in canonical form, of a value that a caller sent."""
    if not isinstance(value, dict):
        raise refused(f"Invalid type for parameter, value: {value!r}, valid types: dict")
    if len(value) != 1:
        raise InvalidRequestError(
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
            if value
            else "Supplied AttributeValue is empty, "
            "must contain exactly one of the supported datatypes"
        )
    [(kind, content)] = value.items()
    if kind == "S" and type(content) is str:
        return {"S": content}
    if kind == "M" and type(content) is dict:
        return {"M": _admitted_map(content, depth)}
    if kind not in _ADMIT:
        raise refused(f"Unknown parameter in input: {kind!r}, must be one of: {', '.join(_ADMIT)}")
    types, admit = _ADMIT[kind]
    if not isinstance(content, types):
        raise refused(f"Invalid type for parameter {kind}, value: {content!r}")
    return {kind: admit(content, depth)}


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise InvalidRequestError(
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested "
            "levels beyond supported limit"
        )
    return depth + 1


def _admitted_set(kind: str, member: type, clean: Callable[[Any], Any]) -> Callable[..., list[Any]]:
    def admit(content: list[Any], _depth: int) -> list[Any]:
        if not content:
            raise InvalidRequestError(
                "One or more parameter values were invalid: "
                f"An {_WORDS[kind]} set  may not be empty"
            )
        if not all(isinstance(one, member) for one in content):
            raise refused(f"Invalid type for parameter {kind}, value: {content!r}")
        members = [clean(one) for one in content]
        if len(set(members)) != len(members):
            raise InvalidRequestError(
                "One or more parameter values were invalid: "
                f"Input collection {content} contains duplicates."
            )
        return ordered_set(kind, members)

    return admit


def ordered_set(kind: str, members: list[Any]) -> list[Any]:
    """A set's members in the one order in which the fake keeps them."""
    return sorted(members, key=decimal if kind == "NS" else None)


def _admitted_null(content: object, _depth: int) -> bool:
    if content is not True:
        raise InvalidRequestError(
            "One or more parameter values were invalid: "
            "Null attribute value types must have the value of true"
        )
    return True


def _admitted_map(content: dict[str, object], depth: int) -> Item:
    depth = _deeper(depth)
    return {name: admitted(value, depth) for name, value in content.items()}


def _admitted_list(content: list[object], depth: int) -> list[Value]:
    depth = _deeper(depth)
    return [admitted(value, depth) for value in content]


_BYTES = (bytes, bytearray)
_ADMIT: dict[str, tuple[Any, Callable[[Any, int], Any]]] = {
    "S": (str, lambda content, _: str(content)),
    "N": (str, lambda content, _: canonical(content)),
    "B": (_BYTES, lambda content, _: bytes(content)),
    "BOOL": (bool, lambda content, _: content),
    "NULL": (bool, _admitted_null),
    "M": (dict, _admitted_map),
    "L": ((list, tuple), _admitted_list),
    "SS": ((list, tuple), _admitted_set("SS", str, str)),
    "NS": ((list, tuple), _admitted_set("NS", str, canonical)),
    "BS": ((list, tuple), _admitted_set("BS", object, bytes)),
}
KINDS = frozenset(_ADMIT)


def admitted_item(item: dict[str, object]) -> Item:
    """A checked copy of an item, or of a request's expression values."""
    return {name: admitted(value) for name, value in item.items()}


def flat(item: Item) -> bytes:
    """An item's bytes, for copying and for a first guess at its size."""
    # Version 2 writes no references: what is shared inside the fake is not shared in a copy.
    return marshal.dumps(item, 2)


def copied_item(item: Item) -> Item:
    """An item for the caller to keep; marshal copies several times faster than Python code."""
    copy: Item = marshal.loads(flat(item))  # noqa: S302 - written a moment ago, right here
    return copy
