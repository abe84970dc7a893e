"""One run of the bench: every subject beside every other, on one machine, at one time."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import measure, packages, races, samples
from bench.running import Subject
from bench.setup import Measured, Setup
from local.simulator.project import DEFAULT_API_KEY

PEERS = Path(__file__).with_name("peers").resolve()
type Result = dict[str, Any]
type Progress = Callable[[str], None]


@dataclass(frozen=True)
class Cast:
    """Who is measured; `bare` are the same packages as plain `sam build` leaves them."""

    floor: Subject
    empty: Subject
    subjects: tuple[Subject, ...]
    bare: tuple[Subject, ...]


def cast(ours: Path, folder: Path, say: Progress) -> Cast:
    """Make all packages in the folder; report and leave out a peer that cannot be installed."""
    floor = packages.floor(folder / "floor")
    subjects = [
        Subject("webhook", "handler.webhook", (ours,)),
        Subject("worker", "handler.worker", (ours,), queued=True),
        Subject("bare", "bare", (PEERS, floor)),
    ]
    for name, module in (("powertools", "powertools"), ("composio", "composio_sdk")):
        try:
            made = packages.peer(folder / name, PEERS / f"requirements-{name}.txt")
        except subprocess.CalledProcessError:
            say(f"{name} is left out: uv has said why")
        else:
            subjects.append(Subject(name, module, (PEERS, made)))
    return Cast(
        Subject("floor", "floor", (PEERS, floor)),
        Subject("empty", "empty", (PEERS, floor)),
        tuple(subjects),
        tuple(_bare(one, folder) for one in subjects if not one.queued),
    )


def _bare(subject: Subject, folder: Path) -> Subject:
    package = packages.without_bytecode(subject.packages[-1], folder / f"{subject.name}-bare")
    return Subject(subject.name, subject.module, (*subject.packages[:-1], package))


def events(setup: Setup, cast_: Cast, number: int) -> Result:
    """Return what a warm event of each kind takes: processor time, round trips, units."""
    found = {}
    for one in cast_.subjects:
        measured_events = measure.events(setup, one, number)
        found[one.name] = {kind: _warm(all_[1:]) for kind, all_ in measured_events.items()}
    return found


def _warm(measured_events: Sequence[Measured]) -> Result:
    last = measured_events[-1]
    return {
        "cpu_ms": median(one.cpu_seconds for one in measured_events) * 1e3,
        "dynamodb": last.trips[0],
        "composio": last.trips[2],
        "reads": last.reads,
        "writes": last.writes,
    }


def instructions(setup: Setup, cast_: Cast, number: int, say: Progress) -> Result:
    """Return what valgrind counts, in millions of instructions."""
    empty = measure.counted(setup, cast_.empty, number)
    overhead = empty.warm["completing"]
    found: Result = {"empty": asdict(empty)}
    for one in cast_.subjects:
        say(f"counting {one.name}")
        found[one.name] = asdict(measure.counted(setup, one, number, overhead))
    webhook = cast_.subjects[0]
    for kind, name in (("incomplete", "update_item"), ("completing", "bare calls")):
        say(f"counting {name}")
        batches = _calls(setup, webhook, kind, number + 2)
        setup.begin(webhook, number + 2)
        found[name] = measure.replayed(setup, cast_.floor, batches, overhead)
    say("counting starts")
    starts = (
        cast_.floor,
        *(Subject(f"{one.name} bare", one.module, one.packages) for one in cast_.bare),
    )
    return found | measure.start_instructions(setup, starts)


def _calls(setup: Setup, subject: Subject, kind: str, number: int) -> list[list[object]]:
    """Return what the subject sends at each of this many events, to be sent again as it was."""
    measured_events = measure.events(setup, subject, number)[kind]
    url = f"{setup.composio.url}/api/v3/mcp/servers/{samples.SERVER}/instances"
    return [
        [
            *(
                {"operation": call.operation, "request": call.request}
                for call in one.aws
                if call.service == "DynamoDB" and call.operation == "update_item"
            ),
            *(
                {"url": url, "key": DEFAULT_API_KEY, "body": {"user_id": user}}
                for _ in one.composio
            ),
        ]
        for user, one in zip(samples.users(kind, number), measured_events, strict=True)
    ]


def correctness(setup: Setup, cast_: Cast) -> Result:
    """Return the outcome of the races, for each subject that is a webhook."""
    return {
        one.name: {case: asdict(came) for case, came in races.races(setup, one).items()}
        for one in cast_.subjects
        if not one.queued
    }


def ratios(counts: Result) -> dict[str, float]:
    """Return the ratios in `limits`, as far as they were counted."""
    us, floor, peer = counts["webhook"], counts["floor"], counts.get("powertools")
    update, warm = counts["update_item"], counts["webhook"]["warm"]
    found = {
        "webhook: start / floor": us["start"] / floor,
        "worker: start / floor": counts["worker"]["start"] / floor,
        "webhook: start / without bytecode": us["start"] / counts["webhook bare"],
        "webhook: rejected / update_item": warm["rejected"] / update,
        "webhook: repeated / update_item": warm["repeated"] / update,
        "webhook: completing / its bare calls": warm["completing"] / counts["bare calls"],
        "webhook: first completing event's deferred work / floor": (
            us["first"] - warm["completing"]
        )
        / floor,
    }
    if peer:
        found["webhook: start / powertools, as sam builds it"] = (
            us["start"] / counts["powertools bare"]
        )
        found["webhook: start / powertools with bytecode"] = us["start"] / peer["start"]
        found["webhook: completing / powertools"] = warm["completing"] / peer["warm"]["completing"]
    return found
