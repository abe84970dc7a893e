"""Conditions as closures: a tree is compiled once and then only called."""

import operator
from collections.abc import Callable
from typing import Any

from tests.fakes.numerals import decimal
from tests.fakes.paths import value_at
from tests.fakes.sizes import text_size
from tests.fakes.tree import (
    Between,
    Call,
    Comparison,
    Condition,
    In,
    Junction,
    Not,
    Operand,
    Ref,
)
from tests.fakes.values import ORDERED, SETS, Item, Value

type Getter = Callable[[Item, Item], Value | None]
type Predicate = Callable[[Item, Item], bool]

ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def getter(operand: Operand) -> Getter:
    """Finds an operand's value: in the item, or among the request's values."""
    if isinstance(operand, Ref):
        ref = operand.name
        return lambda _, values: values[ref]
    if isinstance(operand, Call):
        return _size(getter(operand.arguments[0]))
    path = operand.path
    if len(path) == 1:
        name = str(path[0])
        return lambda item, _: item.get(name)
    if len(path) == 2 and isinstance(path[1], str):  # the commonest depth, faster
        outer, inner = str(path[0]), path[1]

        def nested(item: Item, _: Item) -> Value | None:
            value = item.get(outer)
            if value is None or "M" not in value:
                return None
            found: Value | None = value["M"].get(inner)
            return found

        return nested
    return lambda item, _: value_at(item, path)


def _size(of: Getter) -> Getter:
    def size(item: Item, values: Item) -> Value | None:
        value = of(item, values)
        if value is None:
            return None
        [(kind, content)] = value.items()
        if kind in ("N", "BOOL", "NULL"):
            return None
        return {"N": str(text_size(content) if kind == "S" else len(content))}

    return size


def ordered(compare: Callable[[Any, Any], bool], left: Value | None, right: Value | None) -> bool:
    """Whether two values of one ordered type stand in this order; else they do not."""
    if left is None or right is None:
        return False
    for kind, content in left.items():
        if kind == "N":
            return "N" in right and compare(decimal(content), decimal(right["N"]))
        return kind in right and kind in ORDERED and compare(content, right[kind])
    return False


def compiled(node: Condition) -> Predicate:
    """The predicate for a syntax tree, called with an item and the request's values."""
    match node:
        case Junction("AND", left, right):
            one, two = compiled(left), compiled(right)
            return lambda item, values: one(item, values) and two(item, values)
        case Junction(_, left, right):
            one, two = compiled(left), compiled(right)
            return lambda item, values: one(item, values) or two(item, values)
        case Not(inner):
            one = compiled(inner)
            return lambda item, values: not one(item, values)
        case Comparison():
            return _comparison(node)
        case Between(operand, low, high):
            get, least, most = getter(operand), getter(low), getter(high)
            return lambda item, values: (
                ordered(operator.ge, value := get(item, values), least(item, values))
                and ordered(operator.le, value, most(item, values))
            )
        case In(operand, options):
            get, gets = getter(operand), [getter(option) for option in options]
            return lambda item, values: (
                (value := get(item, values)) is not None
                and any(value == one(item, values) for one in gets)
            )
        case Call(function, arguments):
            return _TESTS[function](*(getter(argument) for argument in arguments))


def _comparison(node: Comparison) -> Predicate:
    left, right = getter(node.left), getter(node.right)
    if node.operator == "=":
        return lambda item, values: (
            (value := left(item, values)) is not None and value == right(item, values)
        )
    if node.operator == "<>":
        # What is missing differs from everything, even from what is missing too.
        return lambda item, values: (
            (value := left(item, values)) is None or value != right(item, values)
        )
    compare = ORDER[node.operator]
    return lambda item, values: ordered(compare, left(item, values), right(item, values))


def _begins_with(get: Getter, get_prefix: Getter) -> Predicate:
    def test(item: Item, values: Item) -> bool:
        value, prefix = get(item, values), get_prefix(item, values)
        if value is None or prefix is None:
            return False
        [(kind, content)] = value.items()
        return kind in ("S", "B") and kind in prefix and bool(content.startswith(prefix[kind]))

    return test


def _contains(get: Getter, get_member: Getter) -> Predicate:
    def test(item: Item, values: Item) -> bool:
        value, member = get(item, values), get_member(item, values)
        if value is None or member is None:
            return False
        [(kind, content)] = value.items()
        if kind == "L":
            return member in content
        wanted = kind[0] if kind in SETS else kind
        return kind in SETS | {"S", "B"} and wanted in member and member[wanted] in content

    return test


_TESTS: dict[str, Callable[..., Predicate]] = {
    "attribute_exists": lambda get: lambda item, values: get(item, values) is not None,
    "attribute_not_exists": lambda get: lambda item, values: get(item, values) is None,
    "attribute_type": lambda get, kind: (
        lambda item, values: (
            (value := get(item, values)) is not None and kind(item, values)["S"] in value
        )
    ),
    "begins_with": _begins_with,
    "contains": _contains,
}
