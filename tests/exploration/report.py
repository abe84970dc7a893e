"""The section on the exploration in the summary of a test run."""

from collections import Counter
from typing import Any

histories: Counter[str] = Counter()
steps_taken = 0
"""Steps that were run; histories that reach the same state share what follows."""

mutants: dict[str, str | None] = {}
"""The promise by which each was caught; None where it was not, or could not be applied."""


def taken() -> dict[str, Any]:
    """Return what this process has explored, as plain values."""
    return {"histories": dict(histories), "steps_taken": steps_taken, "mutants": mutants}


def add(explored: dict[str, Any]) -> None:
    """Add what another process has explored."""
    global steps_taken  # noqa: PLW0603 - a sum, as the others are
    histories.update(explored["histories"])
    steps_taken += explored["steps_taken"]
    mutants.update(explored["mutants"])


def lines() -> list[str]:
    """Return what is to be said; nothing where nothing was explored."""
    said = []
    if histories:
        kinds = "; ".join(f"{kind} {number:,}" for kind, number in histories.items())
        said.append(f"histories explored: {histories.total():,} ({kinds})")
        said.append(
            f"  as {steps_taken:,} steps really taken: where histories meet, they go on as one"
        )
    if mutants:
        caught = sum(promise is not None for promise in mutants.values())
        said.append(f"mutants caught {caught}/{len(mutants)}")
        said.extend(f"  {name}: {promise or 'NOT CAUGHT'}" for name, promise in mutants.items())
    return said
