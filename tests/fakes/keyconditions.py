"""Key conditions: equality on the partition, and at most one condition on the sort key."""

from collections.abc import Iterator
from typing import NamedTuple

from tests.fakes.conditions import Predicate, compiled
from tests.fakes.errors import InvalidRequestError
from tests.fakes.schema import TYPES
from tests.fakes.tree import (
    Attribute,
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
from tests.fakes.values import Item

type _Parts = tuple[str, str, tuple[Operand, ...]]


class KeyCondition(NamedTuple):
    """The partition's :value, and what the sort key must satisfy."""

    partition: str
    row: Predicate | None
    operands: tuple[tuple[str, str], ...]

    def check(self, values: Item) -> None:
        """The values must have the types of the keys, and not be empty."""
        for name, ref in self.operands:
            if TYPES[name] not in values[ref]:
                raise InvalidRequestError(
                    "One or more parameter values were invalid: "
                    "Condition parameter type does not match schema type"
                )
            if values[ref].get("S") == "":
                raise InvalidRequestError(
                    "One or more parameter values are not valid. The AttributeValue for a key "
                    f"attribute cannot contain an empty string value. Key: {name}"
                )


def read_key_condition(tree: Condition, keys: tuple[str, str]) -> KeyCondition:
    """The key condition that a syntax tree stands for."""
    found: dict[str, tuple[Condition, _Parts]] = {}
    for one in _conjuncts(tree):
        parts = _parts(one)
        if parts[0] in found:
            raise _invalid("KeyConditionExpressions must only contain one condition per key")
        found[parts[0]] = one, parts
    for name in found.keys() - {*keys}:
        raise InvalidRequestError(f"Query condition missed key schema element: {name}")
    if keys[0] not in found:
        raise InvalidRequestError(f"Query condition missed key schema element: {keys[0]}")
    _, (_, operator, (partition, *_)) = found[keys[0]]
    if operator != "=" or not isinstance(partition, Ref):
        raise InvalidRequestError("Query key condition not supported")
    operands = tuple(
        (name, operand.name)
        for name, (_, (_, _, refs)) in found.items()
        for operand in refs
        if isinstance(operand, Ref)
    )
    row = compiled(found[keys[1]][0]) if keys[1] in found else None
    return KeyCondition(partition.name, row, operands)


def _conjuncts(tree: Condition) -> Iterator[Condition]:
    if isinstance(tree, Junction) and tree.operator == "AND":
        yield from _conjuncts(tree.left)
        yield from _conjuncts(tree.right)
    else:
        yield tree


def _parts(one: Condition) -> _Parts:
    others: tuple[Operand, ...]
    match one:
        case Comparison(operator, left, right) if operator != "<>":
            subject, others = left, (right,)
        case Between(subject, low, high):
            operator, others = "BETWEEN", (low, high)
        case Call("begins_with" as operator, (subject, prefix)):
            others = (prefix,)
        case _:
            raise _invalid(f"Invalid operator used in KeyConditionExpression: {_operator(one)}")
    if not isinstance(subject, Attribute) or not all(isinstance(other, Ref) for other in others):
        raise _invalid("Key conditions compare a key attribute, first, with values")
    if len(subject.path) > 1:
        raise _invalid("KeyConditionExpressions cannot have conditions on nested attributes")
    return str(subject.path[0]), operator, others


def _operator(one: Condition) -> str:
    match one:
        case Junction(operator) | Comparison(operator) | Call(operator):
            return operator
        case _:
            return type(one).__name__.upper()


def _invalid(message: str) -> InvalidRequestError:
    return InvalidRequestError(f"Invalid KeyConditionExpression: {message}")


def primary_names(tree: Condition, keys: tuple[str, str]) -> str | None:
    """A key attribute that a condition names, if it names one."""
    return next((name for name in _names(tree) if name in keys), None)


def _names(node: Condition | Operand) -> Iterator[str]:
    match node:
        case Attribute(path):
            yield str(path[0])
        case Ref():
            pass
        case Not(inner):
            yield from _names(inner)
        case Call(_, operands):
            yield from _all_names(*operands)
        case In(operand, options):
            yield from _all_names(operand, *options)
        case Between(operand, low, high):
            yield from _all_names(operand, low, high)
        case Comparison(_, left, right):
            yield from _all_names(left, right)
        case Junction(_, left, right):
            yield from _names(left)
            yield from _names(right)


def _all_names(*operands: Operand) -> Iterator[str]:
    for operand in operands:
        yield from _names(operand)
