"""Update expressions as closures over the old item; the old item itself is never touched."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tests.fakes.conditions import Getter, getter
from tests.fakes.errors import InvalidRequestError
from tests.fakes.numerals import combined
from tests.fakes.paths import Path, position, value_at
from tests.fakes.tree import Call, Operand, Sum, Update
from tests.fakes.values import Item, Value, ordered_set

type Change = Callable[[Item | None, Item, Item], Item | None]
type _Maker = Callable[[Item, Item], Value]

_WRONG_TYPE = "An operand in the update expression has an incorrect data type"
_MISSING = "The provided expression refers to an attribute that does not exist in the item"
_BAD_PATH = "The document path provided in the update expression is invalid for update"


def compiled(update: Update) -> Change:
    """The change, called with the old item or None, the key and the request's values."""
    sets = sorted(
        ((path, _maker(right)) for path, right in update.sets),
        # Elements beyond a list's end are appended in the order of their indexes.
        key=lambda one: one[0][-1] if isinstance(one[0][-1], int) else -1,
    )
    creates = bool(update.sets or update.adds)

    def change(old: Item | None, key: Item, values: Item) -> Item | None:
        if old is None and not creates:
            return None
        base = old or {}
        new = dict(old or key)
        written = [(path, make(base, values)) for path, make in sets]
        for path, value in written:
            _put(new, path, value)
        for path, ref in update.adds:
            _put(new, path, _added(value_at(base, path), values[ref.name]))
        removes = [*update.removes, *_delete(new, base, update, values)] if old else []
        # From the back: the numbers of a list's elements are those before the update.
        for path in sorted(removes, key=position, reverse=True):
            _remove(new, path)
        return new

    return change


def _delete(new: Item, base: Item, update: Update, values: Item) -> list[Path]:
    """Thin the sets; the paths of those of which nothing is left are for removal."""
    emptied = []
    for path, ref in update.deletes:
        left = _without(value_at(base, path), values[ref.name])
        if left is None:
            emptied.append(path)
        else:
            _put(new, path, left)
    return emptied


def _holder(new: Item, path: Path) -> Any:
    """What holds the last element of a path, with the way down to it copied."""
    holder: Any = new
    for element, following in pairwise(path):
        wanted = "L" if isinstance(following, int) else "M"
        known = element in holder if isinstance(holder, dict) else element < len(holder)  # type: ignore[operator]
        if not known or wanted not in holder[element]:
            raise InvalidRequestError(_BAD_PATH)
        content = holder[element][wanted].copy()
        holder[element] = {wanted: content}
        holder = content
    return holder


def _put(new: Item, path: Path, value: Value) -> None:
    holder, leaf = _holder(new, path), path[-1]
    if isinstance(leaf, int) and leaf >= len(holder):
        holder.append(value)
    else:
        holder[leaf] = value


def _remove(new: Item, path: Path) -> None:
    holder, leaf = _holder(new, path), path[-1]
    if isinstance(leaf, str):
        holder.pop(leaf, None)
    elif leaf < len(holder):
        del holder[leaf]


def _added(old: Value | None, amount: Value) -> Value:
    [(kind, content)] = amount.items()
    if old is None:
        return amount
    if kind not in old:
        raise InvalidRequestError(_WRONG_TYPE)
    if kind == "N":
        return {"N": combined("+", old["N"], content)}
    return {kind: ordered_set(kind, [*{*old[kind], *content}])}


def _without(old: Value | None, members: Value) -> Value | None:
    [(kind, content)] = members.items()
    if old is None:
        return None
    if kind not in old:
        raise InvalidRequestError(_WRONG_TYPE)
    left = [one for one in old[kind] if one not in content]
    return {kind: left} if left else None


def _maker(right: Operand | Sum) -> _Maker:
    if isinstance(right, Sum):
        return _sum(right.operator, _maker(right.left), _maker(right.right))
    if isinstance(right, Call):
        if right.function == "if_not_exists":
            return _if_not_exists(getter(right.arguments[0]), _maker(right.arguments[1]))
        return _list_append(*map(_maker, right.arguments))
    get = getter(right)

    def make(item: Item, values: Item) -> Value:
        value = get(item, values)
        if value is None:
            raise InvalidRequestError(_MISSING)
        return value

    return make


def _if_not_exists(get: Getter, other: _Maker) -> _Maker:
    def make(item: Item, values: Item) -> Value:
        value = get(item, values)
        return other(item, values) if value is None else value

    return make


def _list_append(left: _Maker, right: _Maker) -> _Maker:
    def make(item: Item, values: Item) -> Value:
        one, two = left(item, values), right(item, values)
        if "L" not in one or "L" not in two:
            raise InvalidRequestError(_WRONG_TYPE)
        return {"L": one["L"] + two["L"]}

    return make


def _sum(operator: str, left: _Maker, right: _Maker) -> _Maker:
    def make(item: Item, values: Item) -> Value:
        one, two = left(item, values), right(item, values)
        if "N" not in one or "N" not in two:
            raise InvalidRequestError(_WRONG_TYPE)
        return {"N": combined(operator, one["N"], two["N"])}

    return make
