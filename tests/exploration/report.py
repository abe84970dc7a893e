"""What the summary of a test run says about the exploration."""

from collections import Counter

histories: Counter[str] = Counter()
mutants: list[tuple[str, str | None]] = []
"""Name, and the promise by which it was caught."""


def lines() -> list[str]:
    """Return what is to be said; nothing where nothing was explored."""
    said = []
    if histories:
        kinds = "; ".join(f"{kind} {number:,}" for kind, number in histories.items())
        said.append(f"histories explored: {histories.total():,} ({kinds})")
    if mutants:
        caught = sum(promise is not None for _, promise in mutants)
        said.append(f"mutants caught {caught}/{len(mutants)}")
        said.extend(f"  {name}: {promise or 'NOT CAUGHT'}" for name, promise in mutants)
    return said
