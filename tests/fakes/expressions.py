"""The subset of DynamoDB's expressions that this project writes; others are refused.

Each text is compiled once, to functions of an item and of the request's names and values.
"""

import operator
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

type Value = Mapping[str, Any]
type Item = dict[str, Any]
type Names = Mapping[str, str]
type Operand = Callable[[Item, Names, Item], Value | None]
type Condition = Callable[[Item, Names, Item], bool]
type Change = Callable[[Item, Item, Names, Item], None]

NOT_RESERVED = {"active", "due", "instance", "pk", "sk"}
"""Names that need no `#`; any other may be a reserved word."""

_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),.+]|[#:]?\w+)")
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class NotSupported(Exception):
    """The request is invalid, or uses what this project does not."""


class Compiled[T](NamedTuple):
    """What an expression does, and the `#names` and `:values` that it uses."""

    run: T
    used: frozenset[str]


@cache
def condition(text: str) -> Compiled[Condition]:
    """Compile a condition, a filter or the condition on a key."""
    parser = _Parser(text)
    found = parser.either()
    parser.end()
    return Compiled(found, parser.used)


@cache
def update(text: str) -> Compiled[list[tuple[str, Change]]]:
    """Compile an update to its changes, each with the attribute that it is about."""
    parser = _Parser(text)
    changes, keywords = [], ["SET", "REMOVE", "ADD"]
    while parser.left:
        keyword = parser.take(*keywords)
        keywords.remove(keyword)
        while True:
            changes.append(getattr(parser, keyword.lower())())
            if not parser.took(","):
                break
    return Compiled(changes, parser.used)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.left = _TOKEN.findall(text)[::-1]
        self.used = frozenset(one for one in self.left if one[0] in "#:")
        if "".join(self.left[::-1]) != re.sub(r"\s", "", text):
            raise NotSupported(text)

    def took(self, *tokens: str) -> str:
        if self.left and self.left[-1] in tokens:
            return str(self.left.pop())
        return ""

    def take(self, *tokens: str) -> str:
        if found := self.took(*tokens):
            return found
        raise NotSupported(f"{self.text}: {tokens} expected before {self.left[::-1]}")

    def end(self) -> None:
        if self.left:
            raise NotSupported(f"{self.text}: {self.left[::-1]}")

    def either(self) -> Condition:
        some = [self.both()]
        while self.took("OR"):
            some.append(self.both())
        return some[0] if len(some) == 1 else lambda *given: any(one(*given) for one in some)

    def both(self) -> Condition:
        every = [self.one()]
        while self.took("AND"):
            every.append(self.one())
        return every[0] if len(every) == 1 else lambda *given: all(one(*given) for one in every)

    def one(self) -> Condition:
        if self.took("("):
            inner = self.either()
            self.take(")")
            return inner
        if name := self.took("attribute_exists", "attribute_not_exists"):
            self.take("(")
            path = self.path()
            self.take(")")
            there = name == "attribute_exists"
            return lambda *given: (path(*given) is not None) is there
        return self.comparison()

    def comparison(self) -> Condition:
        left = self.operand()
        sign = self.take("=", "<>", "IN", *_ORDERS)
        if sign == "IN":
            self.take("(")
            options = [self.operand()]
            while self.took(","):
                options.append(self.operand())
            self.take(")")
            return lambda *given: (
                (value := left(*given)) is not None and any(value == one(*given) for one in options)
            )
        right = self.operand()
        if sign == "=":
            return lambda *given: (value := left(*given)) is not None and value == right(*given)
        if sign == "<>":
            # What is missing differs from everything.
            return lambda *given: (value := left(*given)) is None or value != right(*given)
        return lambda *given: _ordered(_ORDERS[sign], left(*given), right(*given))

    def operand(self) -> Operand:
        if self.left and self.left[-1][0] == ":":
            name = self.left.pop()
            return lambda _, __, values: values[name]
        return self.path()

    def name(self) -> str:
        token = str(self.left.pop()) if self.left else ""
        if token[:1] == "#" or token in NOT_RESERVED:
            return token
        raise NotSupported(f"{self.text}: write {token!r} as #{token}, it may be reserved")

    def path(self) -> Operand:
        outer = self.name()
        if not self.took("."):
            return lambda item, names, _: item.get(names.get(outer, outer))
        inner = self.name()

        def nested(item: Item, names: Names, _: Item) -> Value | None:
            within = item.get(names.get(outer, outer), {}).get("M", {})
            found: Value | None = within.get(names.get(inner, inner))
            return found

        return nested

    def set(self) -> tuple[str, Change]:
        name = self.name()
        self.take("=")
        terms = [self.term()]
        while self.took("+"):
            terms.append(self.term())

        def change(new: Item, old: Item, names: Names, values: Item) -> None:
            found = [one(old, names, values) for one in terms]
            if None in found:
                raise NotSupported("an operand of SET is missing from the item")
            numbers = {"N": str(sum(int(one["N"]) for one in found if one))} if found[1:] else None
            new[names.get(name, name)] = numbers or found[0]

        return name, change

    def term(self) -> Operand:
        if not self.took("if_not_exists"):
            return self.operand()
        self.take("(")
        path = self.path()
        self.take(",")
        default = self.operand()
        self.take(")")
        return lambda *given: found if (found := path(*given)) is not None else default(*given)

    def remove(self) -> tuple[str, Change]:
        name = self.name()
        return name, lambda new, _, names, __: new.pop(names.get(name, name), None)

    def add(self) -> tuple[str, Change]:
        name, value = self.name(), self.operand()

        def change(new: Item, old: Item, names: Names, values: Item) -> None:
            known = old.get(names.get(name, name), {"SS": []})["SS"]
            more = (value(old, names, values) or {})["SS"]
            new[names.get(name, name)] = {"SS": sorted({*known, *more})}

        return name, change


def _ordered(compare: Callable[[Any, Any], bool], left: Value | None, right: Value | None) -> bool:
    if left is None or right is None:
        return False
    if "N" in left and "N" in right:
        return compare(int(left["N"]), int(right["N"]))
    return "S" in left and "S" in right and compare(left["S"], right["S"])
