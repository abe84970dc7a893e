"""The syntax trees of expressions; names are resolved in them, values are not."""

from typing import NamedTuple

from tests.fakes.paths import Path


class Ref(NamedTuple):
    """A :value of the request."""

    name: str


class Attribute(NamedTuple):
    """A document path."""

    path: Path


class Call(NamedTuple):
    """A function; as an operand size, if_not_exists or list_append, else a test."""

    function: str
    arguments: "tuple[Operand, ...]"


type Operand = Ref | Attribute | Call


class Comparison(NamedTuple):
    """A comparison of two operands."""

    operator: str
    left: Operand
    right: Operand


class Between(NamedTuple):
    """A range, both ends included."""

    operand: Operand
    low: Operand
    high: Operand


class In(NamedTuple):
    """Equality with one of several."""

    operand: Operand
    options: tuple[Operand, ...]


class Not(NamedTuple):
    """The opposite."""

    inner: "Condition"


class Junction(NamedTuple):
    """AND or OR of two."""

    operator: str
    left: "Condition"
    right: "Condition"


type Condition = Call | Comparison | Between | In | Not | Junction


class Sum(NamedTuple):
    """The right side of SET a = b + c, or b - c."""

    operator: str
    left: Operand
    right: Operand


class Update(NamedTuple):
    """An update expression, clause by clause."""

    sets: list[tuple[Path, Operand | Sum]]
    removes: list[Path]
    adds: list[tuple[Path, Ref]]
    deletes: list[tuple[Path, Ref]]

    @property
    def targets(self) -> tuple[Path, ...]:
        """Every path that the update writes."""
        pairs = (*self.sets, *self.adds, *self.deletes)
        return (*(path for path, _ in pairs), *self.removes)
