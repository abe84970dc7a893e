"""Measures starts and events: instructions where valgrind is, processor time in any case."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from statistics import median

from bench import story
from bench.running import Spent, Subject
from bench.scene import Happened, Scene

AT_ONCE = os.cpu_count() or 1


@dataclass(frozen=True)
class Start:
    """What a cold start costs; medians."""

    cpu_ms: float
    memory_mb: float


def start_instructions(scene: Scene, subjects: Sequence[Subject]) -> dict[str, float]:
    """Return the instructions of each cold start, in millions."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        counts = list(pool.map(lambda one: instructions(scene, one), subjects))
    return {one.name: count for one, count in zip(subjects, counts, strict=True)}


def starts(scene: Scene, subjects: Sequence[Subject], rounds: int) -> dict[str, Start]:
    """Return the medians of interleaved cold starts, after one that warms the file cache."""
    spent: dict[str, list[Spent]] = {one.name: [] for one in subjects}
    for number in range(rounds + 1):
        for one in subjects:
            with scene.start(one) as function:
                pass
            spent[one.name] += [function.spent] if number else []
    return {
        name: Start(
            median(each.cpu_seconds for each in all_) * 1e3,
            median(each.memory_mb for each in all_),
        )
        for name, all_ in spent.items()
    }


def modules(scene: Scene, subject: Subject) -> list[str]:
    """Return what the function has imported by the time of its first event."""
    with scene.start(subject, modules=True) as function:
        return function.modules


def events(scene: Scene, subject: Subject, number: int) -> dict[str, list[Happened]]:
    """Let so many events of each kind happen in one environment; of all, the first is cold."""
    found: dict[str, list[Happened]] = {}
    scene.begin(subject, number)
    with scene.start(subject) as function:

        def happen(kind: str, user: str) -> Happened:
            return scene.happen(function, story.event(kind, user, queued=subject.queued))

        for kind in story.kinds(queued=subject.queued):
            for user in story.people(kind, number):
                if earlier := story.before(kind):
                    happen(earlier, user)
                found.setdefault(kind, []).append(happen(kind, user))
    return found


def instructions(scene: Scene, subject: Subject, *events: object) -> float:
    """Return the millions of instructions of a start and these events."""
    with scene.start(subject, counted=True) as function:
        for event in events:
            function.send(event)
    return (function.spent.instructions or 0) / 1e6


@dataclass(frozen=True)
class Counted:
    """Millions of instructions: of a start, of a first completing event, of warm ones by kind."""

    start: float
    first: float
    warm: dict[str, float]


def counted(scene: Scene, subject: Subject, number: int, overhead: float = 0.0) -> Counted:
    """Count a subject's start and events by the differences of runs; `overhead` is the probe's.

    A run is a start, one event of each kind, the completing one first, and then so many more of
    one kind; each run has users of its own, so that they can go on side by side.
    """
    kinds = story.kinds(queued=subject.queued)
    kinds.sort(key=lambda kind: kind != "completing")
    scene.begin(subject, (len(kinds) + 2) * (number + 1))
    users = {kind: iter(story.people(kind, (len(kinds) + 2) * (number + 1))) for kind in kinds}

    def some(kind: str, count: int) -> list[object]:
        return [
            story.event(one, user, queued=subject.queued)
            for user in islice(users[kind], count)
            for one in (story.before(kind), kind)
            if one
        ]

    def one_of_each() -> list[object]:
        return [event for kind in kinds for event in some(kind, 1)]

    runs = [[], some("completing", 1), one_of_each()]
    runs += [one_of_each() + some(more, number) for more in kinds]
    start, first, prelude, *rest = _side_by_side(scene, subject, runs)
    warm: dict[str, float] = {}
    for kind, count in zip(kinds, rest, strict=True):
        earlier = story.before(kind)
        lead = warm[earlier] + overhead if earlier else 0
        warm[kind] = (count - prelude) / number - overhead - lead
    return Counted(start, first - start - overhead, warm)


def replayed(
    scene: Scene, floor: Subject, batches: Sequence[list[object]], overhead: float
) -> float:
    """Return the millions of instructions of sending one batch of calls, and nothing else."""
    # No batch in both runs: the second time a condition would fail.
    one, more = _side_by_side(scene, floor, [batches[:1], batches[1:]])
    return (more - one) / (len(batches) - 2) - overhead


def _side_by_side(scene: Scene, subject: Subject, runs: Sequence[Sequence[object]]) -> list[float]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda run: instructions(scene, subject, *run), runs))
