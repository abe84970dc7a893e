"""`make bench`: measures everything, prints it, and writes it to `bench/results/`."""

import argparse
import json
import platform
import subprocess
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import figures, growth, load, measure, packages, run
from bench.limits import RATIOS
from bench.running import VALGRIND, Subject
from bench.setup import Setup, started
from local.deployment import build
from local.emulator import run_folder


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds of each start")
    parser.add_argument("--events", type=int, default=20, help="warm events of each kind")
    options = parser.parse_args()
    with run_folder("bench") as folder, started() as setup:
        ours = build(folder) / "WebhookFunction"
        result = measured(setup, ours, folder, options.rounds, options.events)
    # Results without all ratios must not replace those that have them.
    whole = result.get("ratios", {}).keys() == RATIOS.keys()
    path = figures.RESULTS / f"{result['date']}{'' if whole else '-partial'}.json"
    path.write_text(json.dumps(rounded(result), indent=1, sort_keys=True) + "\n")
    for name, lines in figures.tables(json.loads(path.read_text())).items():
        print(f"\n{name}", *lines, sep="\n")
    print(f"\nwritten: bench/results/{path.name}")


def measured(setup: Setup, ours: Path, folder: Path, rounds: int, events: int) -> run.Result:
    """Return all results."""
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {what}", flush=True)

    say("packages")
    cast = run.cast(ours, Path(tempfile.mkdtemp(dir=folder)), say)
    result: run.Result = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine()}
    named = (cast.floor, *cast.subjects)
    result["package_mb"] = {one.name: packages.megabytes(one.packages[-1]) for one in named}
    say("starts")
    result["modules"] = {one.name: len(measure.modules(setup, one)) for one in named}
    result["starts"] = _starts(setup, named, rounds)
    result["starts_without_bytecode"] = _starts(setup, cast.bare, max(1, rounds // 3))
    say("events")
    result["events"] = run.events(setup, cast, events + 1)
    say("growth")
    result["growth"] = {
        axis: [asdict(row) for row in rows]
        for axis, rows in growth.grown(setup, cast.subjects[0]).items()
    }
    say("duplicates, parallel deliveries, lost answers")
    result["races"] = run.correctness(setup, cast)
    say("load")
    result["load"] = load.measured()
    if VALGRIND:
        result["instructions"] = run.instructions(setup, cast, events, say)
        result["ratios"] = run.ratios(result["instructions"])
    else:
        say("WITHOUT VALGRIND: no instructions are counted, only processor time is measured")
    return result


def _starts(setup: Setup, subjects: tuple[Subject, ...], rounds: int) -> run.Result:
    return {name: asdict(one) for name, one in measure.starts(setup, subjects, rounds).items()}


def rounded(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Round the results to the precision that they have."""
    match value:
        case float():
            return round(value, 3)
        case dict():
            return {str(name): rounded(one) for name, one in value.items()}
        case list() | tuple():
            return [rounded(one) for one in value]
    return value


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    valgrind = "none: no instructions were counted"
    if VALGRIND:
        valgrind = subprocess.check_output([VALGRIND, "--version"], text=True).strip()
    return {
        "processor": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "valgrind": valgrind,
    }


if __name__ == "__main__":
    main()
