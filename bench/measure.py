"""Measures starts and events: instructions where valgrind is, processor time in any case."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from statistics import median

from bench import samples
from bench.running import Spent, Subject
from bench.setup import Measured, Setup

AT_ONCE = os.cpu_count() or 1


@dataclass(frozen=True)
class Start:
    """What a cold start costs; medians."""

    cpu_ms: float
    memory_mb: float


def start_instructions(setup: Setup, subjects: Sequence[Subject]) -> dict[str, float]:
    """Return the instructions of each cold start, in millions."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        counts = list(pool.map(lambda one: instructions(setup, one), subjects))
    return {one.name: count for one, count in zip(subjects, counts, strict=True)}


def starts(setup: Setup, subjects: Sequence[Subject], rounds: int) -> dict[str, Start]:
    """Return the medians of interleaved cold starts, after one that warms the file cache."""
    spent: dict[str, list[Spent]] = {one.name: [] for one in subjects}
    for number in range(rounds + 1):
        for one in subjects:
            with setup.start(one) as function:
                pass
            spent[one.name] += [function.spent] if number else []
    return {
        name: Start(
            median(each.cpu_seconds for each in all_) * 1e3,
            median(each.memory_mb for each in all_),
        )
        for name, all_ in spent.items()
    }


def modules(setup: Setup, subject: Subject) -> list[str]:
    """Return what the function has imported by the time of its first event."""
    with setup.start(subject, modules=True) as function:
        return function.modules


def events(setup: Setup, subject: Subject, number: int) -> dict[str, list[Measured]]:
    """Send this many events of each kind to one environment; the very first one is cold."""
    found: dict[str, list[Measured]] = {}
    setup.begin(subject, number)
    with setup.start(subject) as function:

        def happen(kind: str, user: str) -> Measured:
            return setup.invoke(function, samples.event(kind, user, queued=subject.queued))

        for kind in samples.kinds(queued=subject.queued):
            for user in samples.users(kind, number):
                if earlier := samples.before(kind):
                    happen(earlier, user)
                found.setdefault(kind, []).append(happen(kind, user))
    return found


def instructions(setup: Setup, subject: Subject, *events: object) -> float:
    """Return the millions of instructions of a start and these events."""
    with setup.start(subject, counted=True) as function:
        for event in events:
            function.send(event)
    return (function.spent.instructions or 0) / 1e6


@dataclass(frozen=True)
class Counted:
    """Millions of instructions: of a start, of a first completing event, of warm ones by kind."""

    start: float
    first: float
    warm: dict[str, float]


def counted(setup: Setup, subject: Subject, number: int, overhead: float = 0.0) -> Counted:
    """Count a subject's start and events by the differences of runs; `overhead` is the probe's.

    A run is a start, one event of each kind, the completing one first, and then `number` more
    of one kind; each run has users of its own, so that they can go on side by side.
    """
    kinds = samples.kinds(queued=subject.queued)
    kinds.sort(key=lambda kind: kind != "completing")
    setup.begin(subject, (len(kinds) + 2) * (number + 1))
    users = {kind: iter(samples.users(kind, (len(kinds) + 2) * (number + 1))) for kind in kinds}

    def some(kind: str, count: int) -> list[object]:
        return [
            samples.event(one, user, queued=subject.queued)
            for user in islice(users[kind], count)
            for one in (samples.before(kind), kind)
            if one
        ]

    def one_of_each() -> list[object]:
        return [event for kind in kinds for event in some(kind, 1)]

    runs = [[], some("completing", 1), one_of_each()]
    runs += [one_of_each() + some(more, number) for more in kinds]
    start, first, prelude, *rest = _side_by_side(setup, subject, runs)
    warm: dict[str, float] = {}
    for kind, count in zip(kinds, rest, strict=True):
        earlier = samples.before(kind)
        lead = warm[earlier] + overhead if earlier else 0
        warm[kind] = (count - prelude) / number - overhead - lead
    return Counted(start, first - start - overhead, warm)


def replayed(
    setup: Setup, floor: Subject, batches: Sequence[list[object]], overhead: float
) -> float:
    """Return the millions of instructions of sending one batch of calls, and nothing else."""
    # No batch in both runs: the second time a condition would fail.
    one, more = _side_by_side(setup, floor, [batches[:1], batches[1:]])
    return (more - one) / (len(batches) - 2) - overhead


def _side_by_side(setup: Setup, subject: Subject, runs: Sequence[Sequence[object]]) -> list[float]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda run: instructions(setup, subject, *run), runs))
