"""The expression language: text in, syntax tree out; names are resolved on the way."""

import re
from collections.abc import Callable, Collection, Mapping

from tests.fakes.errors import InvalidRequestError
from tests.fakes.paths import Path
from tests.fakes.reserved import RESERVED
from tests.fakes.tree import Attribute, Call, Operand, Ref

_TOKEN = re.compile(
    r"\s*(?:(?P<word>[A-Za-z][A-Za-z0-9_]*|[#:][A-Za-z0-9_]+|\d+)"
    r"|(?P<mark><>|<=|>=|[=<>(),.+\-\[\]])|(?P<end>$))"
)
COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
TESTS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
}
VALUES = {"if_not_exists": 2, "list_append": 2}
MAX_BYTES = 4096
MAX_OPERANDS = 100


class Vocabulary:
    """The request's placeholders, and which of them its expressions have used."""

    def __init__(self, names: Mapping[str, str], refs: Collection[str]) -> None:
        self.names = names
        self.refs = refs
        self.used: set[str] = set()

    def check_all_used(self) -> None:
        """A placeholder that no expression uses is an error."""
        for field, given in (("Names", self.names), ("Values", self.refs)):
            if unused := [one for one in given if one not in self.used]:
                raise InvalidRequestError(
                    f"Value provided in ExpressionAttribute{field} unused in expressions: "
                    f"keys: {{{', '.join(unused)}}}"
                )


class Reader:
    """Reads one expression, token by token."""

    def __init__(self, kind: str, text: str, vocabulary: Vocabulary) -> None:
        self.kind = kind
        self.text = text
        self.vocabulary = vocabulary
        self.tokens = self._tokens()
        self.at = 0

    def error(self, message: str) -> InvalidRequestError:
        """A complaint that names the expression."""
        return InvalidRequestError(f"Invalid {self.kind}: {message}")

    def _tokens(self) -> list[str]:
        if not self.text.strip():
            raise self.error("The expression can not be empty;")
        if len(self.text.encode()) > MAX_BYTES:
            raise self.error("Expression size has exceeded the maximum allowed size;")
        tokens: list[str] = []
        at = 0
        while True:
            match = _TOKEN.match(self.text, at)
            if match is None:
                raise self.error(f'Syntax error; token: "{self.text[at:].strip()[0]}"')
            if match["end"] is not None:
                return [*tokens, ""]
            tokens.append(match["word"] or match["mark"])
            at = match.end()

    @property
    def token(self) -> str:
        """What comes next; empty at the end."""
        return self.tokens[self.at]

    @property
    def keyword(self) -> str:
        """What comes next, if it is a keyword: they are written in either case."""
        return self.token.upper()

    def take(self) -> str:
        """Consume what comes next."""
        self.at += 1
        return self.tokens[self.at - 1]

    def unexpected(self) -> InvalidRequestError:
        """A syntax error at what comes next."""
        near = " ".join(self.tokens[max(self.at - 1, 0) : self.at + 2]).strip()
        return self.error(f'Syntax error; token: "{self.token or "<EOF>"}", near: "{near}"')

    def expect(self, mark: str) -> None:
        """Consume this and nothing else."""
        if self.keyword != mark:
            raise self.unexpected()
        self.at += 1

    def skip(self, mark: str) -> bool:
        """Consume this if it is what comes next."""
        if self.keyword != mark:
            return False
        self.at += 1
        return True

    def finish(self) -> None:
        """Nothing may be left over."""
        if self.token:
            raise self.unexpected()

    def ref(self) -> Ref:
        """A :value."""
        if not self.token.startswith(":"):
            raise self.unexpected()
        name = self.take()
        if name not in self.vocabulary.refs:
            raise self.error(
                "An expression attribute value used in expression is not defined; "
                f"attribute value: {name}"
            )
        self.vocabulary.used.add(name)
        return Ref(name)

    def path(self) -> Path:
        """A document path: names, dots and indexes."""
        elements: list[str | int] = [self._name()]
        while True:
            if self.skip("."):
                elements.append(self._name())
            elif self.skip("["):
                if not self.token.isdecimal():
                    raise self.unexpected()
                elements.append(int(self.take()))
                self.expect("]")
            else:
                return tuple(elements)

    def _name(self) -> str:
        token = self.token
        if token.startswith("#"):
            self.at += 1
            if token not in self.vocabulary.names:
                raise self.error(
                    "An expression attribute name used in the document path is not defined; "
                    f"attribute name: {token}"
                )
            self.vocabulary.used.add(token)
            return self.vocabulary.names[token]
        if not token[:1].isalpha():
            raise self.unexpected()
        if token.lower() in RESERVED:
            raise self.error(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        return self.take()

    def call(self, allowed: Mapping[str, int]) -> Call | None:
        """A function call, if one comes next."""
        if not self.token[:1].isalpha() or self.tokens[self.at + 1] != "(":
            return None
        function = self.token
        if function not in {*TESTS, *VALUES, "size"}:
            raise self.error(f"Invalid function name; function: {function}")
        self.at += 1
        arguments = self.several(self.operand, enclosed=True)
        if function not in allowed:
            raise self.error(
                "The function is not allowed to be used this way in an expression; "
                f"function: {function}"
            )
        if len(arguments) != allowed[function]:
            raise self.error(
                "Incorrect number of operands for operator or function; operator or function: "
                f"{function}, number of operands: {len(arguments)}"
            )
        return Call(function, arguments)

    def several[T](self, one: Callable[[], T], *, enclosed: bool = False) -> tuple[T, ...]:
        """A comma-separated list, in parentheses or not."""
        if enclosed:
            self.expect("(")
        found = [one()]
        while self.skip(","):
            found.append(one())
        if enclosed:
            self.expect(")")
        return tuple(found)

    def operand(self) -> Operand:
        """A :value, a path, or a function that makes a value."""
        if self.token.startswith(":"):
            return self.ref()
        allowed = VALUES if self.kind == "UpdateExpression" else {"size": 1}
        return self.call(allowed) or Attribute(self.path())
