"""The three kinds of expression: conditions, updates and projections."""

from tests.fakes.grammar import COMPARATORS, MAX_OPERANDS, TESTS, Reader, Vocabulary
from tests.fakes.paths import Path, check_overlaps, shown
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
    Sum,
    Update,
)


class ConditionReader(Reader):
    """OR binds least, then AND, then NOT."""

    def read(self) -> Condition:
        """The whole expression."""
        condition = self._junction("OR")
        self.finish()
        return condition

    def _junction(self, operator: str) -> Condition:
        one = self._negation if operator == "AND" else lambda: self._junction("AND")
        condition = one()
        while self.skip(operator):
            condition = Junction(operator, condition, one())
        return condition

    def _negation(self) -> Condition:
        if self.skip("NOT"):
            return Not(self._negation())
        if self.skip("("):
            opened = self.at
            condition = self._junction("OR")
            # (x) is fine and so is ((x) AND y), but not ((x)).
            if self.tokens[opened] == "(" and self._closing(opened) == self.at - 1:
                raise self.error("The expression has redundant parentheses;")
            self.expect(")")
            return condition
        return self._simple()

    def _closing(self, at: int) -> int:
        """Where the bracket that opens here is closed."""
        depth = 0
        while True:
            depth += {"(": 1, ")": -1}.get(self.tokens[at], 0)
            if depth == 0:
                return at
            at += 1

    def _simple(self) -> Condition:
        if self.token in TESTS and (test := self.call(TESTS)):
            return self._distinct(test.function, test, test.arguments[0], *test.arguments[1:])
        left = self.operand()
        if self.token in COMPARATORS:
            operator = self.take()
            right = self.operand()
            return self._distinct(operator, Comparison(operator, left, right), left, right)
        if self.skip("BETWEEN"):
            low = self.operand()
            self.expect("AND")
            high = self.operand()
            return self._distinct("BETWEEN", Between(left, low, high), left, low, high)
        if self.skip("IN"):
            options = self.several(self.operand, enclosed=True)
            if len(options) >= MAX_OPERANDS:
                raise self.error("Too many operands for operator IN")
            return self._distinct("IN", In(left, options), left, *options)
        if isinstance(left, Call):
            raise self.error(
                "The function is not allowed to be used this way in an expression; "
                f"function: {left.function}"
            )
        raise self.unexpected()

    def _distinct[C: Condition](self, operator: str, read: C, first: Operand, *rest: Operand) -> C:
        if isinstance(first, Attribute) and first in rest:
            raise self.error(
                "The first operand must be distinct from the remaining operands for this operator "
                f"or function; operator: {operator}, first operand: {shown(first.path)}"
            )
        return read


class UpdateReader(Reader):
    """SET, REMOVE, ADD and DELETE, each at most once."""

    def read(self) -> Update:
        """The whole expression."""
        update = Update([], [], [], [])
        seen = set()
        while self.token:
            clause = self.keyword
            if clause in seen:
                raise self.error(
                    f'The "{clause}" section can only be used once in an update expression;'
                )
            seen.add(clause)
            self._clause(clause, update)
        check_overlaps(self.kind, update.targets)
        return update

    def _clause(self, clause: str, update: Update) -> None:
        if clause == "SET":
            self.at += 1
            update.sets.extend(self.several(self._assignment))
        elif clause == "REMOVE":
            self.at += 1
            update.removes.extend(self.several(self.path))
        elif clause in ("ADD", "DELETE"):
            self.at += 1
            actions = update.adds if clause == "ADD" else update.deletes
            actions.extend(self.several(lambda: (self.path(), self.ref())))
        else:
            raise self.unexpected()

    def _assignment(self) -> tuple[Path, Operand | Sum]:
        path = self.path()
        self.expect("=")
        left = self.operand()
        self._check_nesting(left)
        if self.token in ("+", "-"):
            operator = self.take()
            right = self.operand()
            self._check_nesting(right)
            return path, Sum(operator, left, right)
        return path, left

    def _check_nesting(self, operand: Operand) -> None:
        if not isinstance(operand, Call):
            return
        if operand.function == "if_not_exists" and not isinstance(operand.arguments[0], Attribute):
            raise self.error(
                "Operator or function requires a document path; operator or function: if_not_exists"
            )
        for inner in operand.arguments:
            if isinstance(inner, Call) and inner.function == "list_append":
                raise self.error(
                    "The function is not allowed to be used this way in an expression; "
                    "function: list_append"
                )
            self._check_nesting(inner)


def read_projection(text: str, vocabulary: Vocabulary) -> tuple[Path, ...]:
    """A projection expression: paths."""
    reader = Reader("ProjectionExpression", text, vocabulary)
    paths = reader.several(reader.path)
    reader.finish()
    check_overlaps(reader.kind, paths)
    return paths
