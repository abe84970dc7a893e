"""What the summary of a test run says about the exploration."""

from collections import Counter
from typing import Any

histories: Counter[str] = Counter()
looked_at = 0
"""Steps that were really taken: histories that meet in one state go on as one."""

mutants: dict[str, str | None] = {}
"""The promise by which each was caught; None where it was not, or could not be planted."""


def taken() -> dict[str, Any]:
    """Return what this process has explored, as plain values."""
    return {"histories": dict(histories), "looked_at": looked_at, "mutants": mutants}


def add(explored: dict[str, Any]) -> None:
    """Add what another process has explored."""
    global looked_at  # noqa: PLW0603 - a sum, as the others are
    histories.update(explored["histories"])
    looked_at += explored["looked_at"]
    mutants.update(explored["mutants"])


def lines() -> list[str]:
    """Return what is to be said; nothing where nothing was explored."""
    said = []
    if histories:
        kinds = "; ".join(f"{kind} {number:,}" for kind, number in histories.items())
        said.append(f"histories explored: {histories.total():,} ({kinds})")
        said.append(
            f"  as {looked_at:,} steps really taken: where histories meet, they go on as one"
        )
    if mutants:
        caught = sum(promise is not None for promise in mutants.values())
        said.append(f"mutants caught {caught}/{len(mutants)}")
        said.extend(f"  {name}: {promise or 'NOT CAUGHT'}" for name, promise in mutants.items())
    return said
