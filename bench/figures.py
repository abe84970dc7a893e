"""The committed results as the tables of `docs/bench.md`: `python -m bench.figures` writes them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.limits import RATIOS

PAGE = Path("docs/bench.md")
RESULTS = Path(__file__).with_name("results")

type Result = dict[str, Any]


def newest() -> Result:
    """Return the newest complete results; they are named after their date."""
    found: Result = json.loads(max(RESULTS.glob("????-??-??.json")).read_text())
    return found


def tables(result: Result) -> dict[str, Iterable[str]]:
    """Return the lines of each table by the name of its place; what was not counted is empty."""
    made = (starts, events, races, ratios, growth, load)
    return {table.__name__: table(result) for table in made}


def starts(result: Result) -> Iterator[str]:
    """Yield what starts cost."""
    machine, counts = result["machine"], result.get("instructions", {})
    bare = result["starts_without_bytecode"]
    about = f"{result['date']}, Python {machine['python']}, {machine['processor']}"
    yield (
        f"| {about} | package MB | Mi | CPU ms | memory MB | modules "
        "| Mi without bytecode | CPU ms without |"
    )
    yield "|---|" + "--:|" * 7
    for name, one in result["starts"].items():
        found = counts.get(name)
        cells = [
            f"{result['package_mb'][name]:.1f}",
            _number(found["start"] if isinstance(found, dict) else found, 0),
            f"{one['cpu_ms']:,.0f}",
            f"{one['memory_mb']:.0f}",
            str(result["modules"][name]),
            _number(counts.get(f"{name} bare"), 0),
            f"{bare[name]['cpu_ms']:,.0f}" if name in bare else "",
        ]
        yield _row(name, *cells)


def events(result: Result) -> Iterator[str]:
    """Yield what warm events cost."""
    yield "| | event | Mi | CPU ms | DynamoDB calls | read units | write units | Composio calls |"
    yield "|---|---|" + "--:|" * 6
    counts = result.get("instructions", {})
    for name, kinds in result["events"].items():
        warm = counts[name]["warm"] if counts else {}
        for kind, one in kinds.items():
            cells = [
                _number(warm.get(kind), 2),
                f"{one['cpu_ms']:.1f}",
                *(f"{one[each]:g}" for each in ("dynamodb", "reads", "writes", "composio")),
            ]
            yield _row(name, kind, *cells)


def races(result: Result) -> Iterator[str]:
    """Yield what duplicates, parallel deliveries and lost answers lead to."""
    yield _row("calls; at once; lost", *next(iter(result["races"].values())))
    yield "|---|" + "---|" * len(next(iter(result["races"].values())))
    for name, cases in result["races"].items():
        said = (
            f"{one['posts_per_user']:g}; {one['called_at_once']}; {one['lost']}"
            for one in cases.values()
        )
        yield _row(name, *said)


def ratios(result: Result) -> Iterator[str]:
    """Yield the ratios beside their limits."""
    yield "| ratio of instructions | measured | target | held |"
    yield "|---|--:|--:|--:|"
    for name, limit in RATIOS.items():
        if measured := result.get("ratios", {}).get(name):
            yield _row(name, f"{measured:.2f}", f"{limit.target:.2f}", f"{limit.gate:.2f}")


def growth(result: Result) -> Iterator[str]:
    """Yield what an event costs as things grow."""
    yield "| | size | Mi | DynamoDB calls | read units | write units |"
    yield "|---|" + "--:|" * 5
    for axis, rows in result["growth"].items():
        for row in rows:
            cells = [_number(row["instructions"], 2), str(row["trips"][0])]
            yield _row(axis, f"{row['size']:,}", *cells, f"{row['reads']:g}", f"{row['writes']:g}")


def load(result: Result) -> Iterator[str]:
    """Yield the events a second."""
    clients = sorted(next(iter(result["load"].values())), key=int)
    yield _row("", *clients)
    yield "|---|" + "--:|" * len(clients)
    for name, rates in result["load"].items():
        yield _row(name, *(f"{rates[one]:.0f}" for one in clients))


def _number(counted: float | None, places: int) -> str:
    return "" if counted is None else f"{counted:,.{places}f}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def rendered(page: str, result: Result) -> str:
    """Return the page with the tables of these results."""
    texts = {name: "".join(f"{line}\n" for line in lines) for name, lines in tables(result).items()}
    return filled(page, texts)


def filled(page: str, tables: Mapping[str, str]) -> str:
    """Return the page with new tables, each between the two comments that name its place."""
    for name, table in tables.items():
        place = rf"(?s)(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        page, changed = re.subn(place, rf"\g<1>{table}\g<2>", page)
        if changed != 1:
            raise SystemExit(f"the page has no place for {name}")
    return page


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text(), newest()))
