"""A number for a moment: it is the same where everything that follows is the same."""

import re
from collections.abc import Mapping
from copy import copy
from typing import Any

from handler.credentials import SecretValue
from tests.exploration.state import State

_NAMES = re.compile(r"\b(?:token-[\w-]+|message)-\d+")


def fingerprint(state: State, table: Mapping[str, Mapping[str, Any]], *, by_name: bool) -> int:
    """Return the number; without `by_name`, tokens and messages are told apart, not named."""
    state = copy(state)
    if not by_name:
        state.numbers, state.tokens = 0, {}
    text = repr((state, [(pk, sorted(rows.items())) for pk, rows in sorted(table.items())]))
    # What prints its address is never the same, and no two histories would meet again.
    assert " object at 0x" not in text, text
    if by_name:
        return hash(text)
    names: dict[str, str] = {}
    return hash(_NAMES.sub(lambda one: names.setdefault(one[0], f"#{len(names)}"), text))


def shown(memory: tuple[Mapping[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    """Return what is in memory as it prints; a secret does not, and stands for itself by value."""
    return tuple(
        {
            name: vars(value) if isinstance(value, SecretValue) else value
            for name, value in part.items()
        }
        for part in memory
    )
