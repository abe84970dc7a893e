"""Bytes and capacity units, calculated as in the developer guide (whole numbers only)."""

from collections.abc import Mapping
from typing import Any

LARGEST_ITEM = 400 * 1024
WRITE_UNIT, READ_UNIT = 1024, 4096


def item_size(item: Mapping[str, Any]) -> int:
    """Return the size of an item in bytes, including its names."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def largest_size(item: Mapping[str, Any]) -> int:
    """Return an upper bound of the size, which is faster than the exact one."""
    return 4 * len(str(item))


def read_units(size: int, *, consistent: bool) -> float:
    """Return 1 for each 4 KB begun, over the whole request; half of it if eventually consistent."""
    return max(1, -(-size // READ_UNIT)) / (1 if consistent else 2)


def write_units(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> float:
    """Return 1 for each 1 KB begun, of the larger of before and after."""
    return float(max(1, -(-max(item_size(old or {}), item_size(new or {})) // WRITE_UNIT)))


def _value_size(value: Mapping[str, Any]) -> int:
    kind: str
    content: Any
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(str(content).encode())
        case "N":
            return 1 + (len(content.lstrip("-")) + 1) // 2 + ("-" in content)
        case "M":
            return 3 + sum(1 + len(one.encode()) + _value_size(two) for one, two in content.items())
        case "L":
            return 3 + sum(1 + _value_size(one) for one in content)
        case "SS":
            return sum(len(one.encode()) for one in content)
    return 1
