"""Numbers: text on the wire, decimal in comparisons, exact in sums."""

import re
from decimal import Context, Decimal, Inexact
from functools import lru_cache

from tests.fakes.errors import InvalidRequestError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DIGITS = 38
_ARITHMETIC = Context(prec=_DIGITS, traps=[Inexact], Emax=999, Emin=-999)


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
