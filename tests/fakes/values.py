"""Attribute values: let in, copied, ordered and measured as DynamoDB does.

Inside the fake a value is never changed in place and is always in canonical form (numbers
shortened, sets sorted): equality is `==`, and keeping an old item costs nothing.
"""

import marshal
import re
from collections.abc import Callable
from decimal import Context, Decimal, Inexact
from functools import lru_cache
from typing import Any

from tests.fakes.errors import InvalidRequestError, refused

type Value = dict[str, Any]
type Item = dict[str, Value]

MAX_DEPTH = 32
SETS = frozenset({"SS", "NS", "BS"})
ORDERED = frozenset({"S", "N", "B"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DIGITS = 38
_ARITHMETIC = Context(prec=_DIGITS, traps=[Inexact], Emax=999, Emin=-999)
_WORDS = {"SS": "string", "NS": "number", "BS": "binary"}


@lru_cache(maxsize=65536)
def decimal(number: str) -> Decimal:
    """The number behind its text."""
    return Decimal(number)


@lru_cache(maxsize=65536)
def canonical(number: str) -> str:
    """The text that DynamoDB returns for a number: no exponent, no needless zeros."""
    if number.isdecimal() and number.isascii() and number[0] != "0" and len(number) <= _DIGITS:
        return number
    if not _NUMBER.fullmatch(number):
        raise InvalidRequestError(f"The parameter cannot be converted to a numeric value: {number}")
    value = Decimal(number)
    if not value:
        return "0"
    _, digits, exponent = value.as_tuple()
    significant = len("".join(map(str, digits)).strip("0"))
    if significant > _DIGITS:
        raise InvalidRequestError("Attempting to store more than 38 significant digits in a Number")
    if not -130 <= value.adjusted() <= 125:  # the documented range
        way = "over" if value.adjusted() > 0 else "under"
        raise InvalidRequestError(
            f"Number {way}flow. Attempting to store a number with magnitude "
            f"{'larger' if way == 'over' else 'smaller'} than supported range"
        )
    text = format(value, "f")
    sign, text = ("-", text[1:]) if text[0] == "-" else ("", text)
    if exponent != 0 and "." in text:
        text = text.rstrip("0").rstrip(".")
    return sign + text


def combined(operator: str, left: str, right: str) -> str:
    """The sum or the difference of two numbers, exact or refused."""
    calculate = _ARITHMETIC.add if operator == "+" else _ARITHMETIC.subtract
    try:
        total = calculate(decimal(left), decimal(right))
    except Inexact:
        raise InvalidRequestError(
            "Attempting to store more than 38 significant digits in a Number"
        ) from None
    return canonical(str(total))


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


def _flat(item: Item) -> bytes:
    # Version 2 writes no references: what is shared inside the fake is not shared in a copy.
    return marshal.dumps(item, 2)


def copied_item(item: Item) -> Item:
    """An item for the caller to keep; marshal copies several times faster than Python code."""
    copy: Item = marshal.loads(_flat(item))  # noqa: S302 - written a moment ago, right here
    return copy


def is_larger(item: Item, size: int) -> bool:
    """Whether an item counts more bytes than this; its marshalled form is never the shorter."""
    return len(_flat(item)) > size and item_size(item) > size


def text_size(text: str) -> int:
    """Its length in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


@lru_cache(maxsize=65536)
def _number_size(number: str) -> int:
    whole, _, fraction = number.lstrip("-").partition(".")
    # Two digits share a byte, in pairs that start at the decimal point; outer zeros are free.
    pairs = whole.zfill(len(whole) + len(whole) % 2) + fraction.ljust(
        len(fraction) + len(fraction) % 2, "0"
    )
    digits = [pairs[at : at + 2] for at in range(0, len(pairs), 2)]
    while digits and digits[0] == "00":
        digits.pop(0)
    while digits and digits[-1] == "00":
        digits.pop()
    return 1 + len(digits) + number.startswith("-")


def value_size(value: Value) -> int:
    """Bytes that a value counts, as the developer guide's page on item sizes reckons."""
    for kind, content in value.items():
        if kind == "S":
            return text_size(content)
        if kind == "N":
            return _number_size(content)
        if kind == "M":
            return 3 + sum(1 + text_size(name) + value_size(one) for name, one in content.items())
        if kind == "L":
            return 3 + sum(1 + value_size(one) for one in content)
        if kind == "SS":
            return sum(map(text_size, content))
        if kind == "NS":
            return sum(map(_number_size, content))
        if kind == "BS":
            return sum(map(len, content))
        if kind == "B":
            return len(content)
    return 1


def item_size(item: Item) -> int:
    """Bytes that an item counts, names included."""
    total = 0
    for name, value in item.items():
        total += text_size(name) + value_size(value)
    return total
