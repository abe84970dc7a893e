"""How many bytes items count, as the developer guide's page on item sizes reckons."""

from functools import lru_cache

from tests.fakes.values import Item, Value, flat


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


def is_larger(item: Item, size: int) -> bool:
    """Whether an item counts more bytes than this; its marshalled form is never the shorter."""
    return len(flat(item)) > size and item_size(item) > size
