"""What expressions demand of the request's own values, whatever the item holds."""

import operator
from collections.abc import Callable, Iterator

from tests.fakes.conditions import ORDER, ordered
from tests.fakes.errors import InvalidRequestError
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
    Sum,
    Update,
)
from tests.fakes.values import KINDS, ORDERED, SETS, Item

type Check = Callable[[Item], None]


def condition_checks(node: Condition) -> Iterator[Check]:
    """What a condition demands of the request's own values, whatever the item holds."""
    match node:
        case Junction(_, left, right):
            yield from condition_checks(left)
            yield from condition_checks(right)
        case Not(inner):
            yield from condition_checks(inner)
        case Comparison(symbol, left, right):
            if symbol in ORDER:
                yield from _typed(symbol, ORDERED, left, right)
            yield from _sizes(left, right)
        case Between(operand, low, high):
            yield from _typed("BETWEEN", ORDERED, operand, low, high)
            if isinstance(low, Ref) and isinstance(high, Ref):
                yield _bounds(low.name, high.name)
            yield from _sizes(operand, low, high)
        case In(operand, options):
            yield from _sizes(operand, *options)
        case Call():
            yield from _test_checks(node)


def _test_checks(test: Call) -> Iterator[Check]:
    first, *rest = test.arguments
    if test.function == "begins_with":
        yield from _typed("begins_with", frozenset({"S", "B"}), first, *rest)
    elif test.function == "attribute_type":
        yield _kind_check(rest[0])
    elif not rest and not isinstance(first, Attribute):
        raise InvalidRequestError(
            "Invalid expression: Operator or function requires a document path; "
            f"operator or function: {test.function}"
        )


def _sizes(*operands: Operand) -> Iterator[Check]:
    for operand in operands:
        if isinstance(operand, Call):
            yield from _typed("size", KINDS - {"N", "BOOL", "NULL"}, operand.arguments[0])


def _typed(function: str, kinds: frozenset[str], *operands: Operand) -> Iterator[Check]:
    for operand in operands:
        if isinstance(operand, Ref):
            yield _typed_one(function, kinds, operand.name)


def _typed_one(function: str, kinds: frozenset[str], ref: str) -> Check:
    """A check that a value of the request has one of these types."""

    def check(values: Item) -> None:
        if kinds.isdisjoint(values[ref]):
            raise InvalidRequestError(
                "Invalid expression: Incorrect operand type for operator or function; operator or "
                f"function: {function}, operand type: {next(iter(values[ref]))}"
            )

    return check


def _bounds(low: str, high: str) -> Check:
    def check(values: Item) -> None:
        least, most = values[low], values[high]
        if not ordered(operator.le, least, most):
            raise InvalidRequestError(
                "Invalid expression: The BETWEEN operator requires upper bound to be greater than "
                f"or equal to lower bound, of the same type; lower: {least}, upper: {most}"
            )

    return check


def _kind_check(kind: Operand) -> Check:
    if not isinstance(kind, Ref):
        raise InvalidRequestError(
            "Invalid expression: Incorrect operand type for operator or function; operator or "
            "function: attribute_type, operand type: document path"
        )

    def check(values: Item) -> None:
        name = values[kind.name].get("S")
        if name not in KINDS:
            raise InvalidRequestError(
                f"Invalid expression: Invalid attribute type name found; type: {name}, "
                f"valid types: {{{','.join(sorted(KINDS))}}}"
            )

    return check


def update_checks(update: Update) -> Iterator[Check]:
    """What an update demands of the request's own values."""
    for _, right in update.sets:
        yield from _operand_checks(right)
    for _, ref in update.adds:
        yield _typed_one("ADD", SETS | {"N"}, ref.name)
    for _, ref in update.deletes:
        yield _typed_one("DELETE", SETS, ref.name)


def _operand_checks(right: Operand | Sum) -> Iterator[Check]:
    operands: tuple[Operand, ...]
    if isinstance(right, Sum):
        function, kind, operands = right.operator, "N", (right.left, right.right)
    elif isinstance(right, Call):
        function, operands = right.function, right.arguments
        kind = "L" if function == "list_append" else ""
    else:
        return
    for operand in operands:
        if isinstance(operand, Ref) and kind:
            yield _typed_one(function, frozenset({kind}), operand.name)
        yield from _operand_checks(operand)
