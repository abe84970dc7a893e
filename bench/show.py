"""The results as tables."""

from typing import Any

from rich.console import Console
from rich.table import Table

from bench import targets

type Result = dict[str, Any]


def show(result: Result) -> None:
    """Print all of it."""
    console = Console(width=120)
    tables = (_starts, _events, _races, _growth, _load, _ratios)
    for table in tables:
        console.print(table(result))


def _starts(result: Result) -> Table:
    counts, bare = result.get("instructions", {}), result["starts_without_bytecode"]
    table = Table(title="Cold start: from nothing to the first event")
    for name in (
        "",
        "package MB",
        "Mi",
        "CPU ms",
        "memory MB",
        "modules",
        "CPU ms without bytecode",
        "Mi without bytecode",
        "first completing event CPU ms",
    ):
        table.add_column(name, justify="right" if name else "left")
    for name, start in result["starts"].items():
        found = counts.get(name, 0.0)
        table.add_row(
            name,
            f"{result['package_mb'][name]:.1f}",
            _number(found["start"] if isinstance(found, dict) else found),
            _number(start["cpu_ms"]),
            _number(start["memory_mb"]),
            str(result["modules"][name]),
            _number(bare.get(name, {}).get("cpu_ms")),
            _number(counts.get(f"{name} bare")),
            _number(result["first_event_cpu_ms"].get(name)),
        )
    return table


def _events(result: Result) -> Table:
    counts = result.get("instructions", {})
    table = Table(title="Warm events")
    for name in ("", "event", "Mi", "CPU ms", "DynamoDB calls", "RCU", "WCU", "Composio calls"):
        table.add_column(name, justify="right" if name not in {"", "event"} else "left")
    for name, kinds in result["events"].items():
        for kind, one in kinds.items():
            table.add_row(
                name,
                kind,
                _number(counts.get(name, {}).get("warm", {}).get(kind), 2),
                _number(one["cpu_ms"], 2),
                str(one["dynamodb"]),
                f"{one['reads']:g}",
                f"{one['writes']:g}",
                str(one["composio"]),
            )
    return table


def _races(result: Result) -> Table:
    table = Table(title="Create calls per user; most at once; users whose record is lost, of 5")
    cases = next(iter(result["races"].values()))
    for name in ("", *cases):
        table.add_column(name)
    for name, found in result["races"].items():
        cells = [
            f"{one['posts_per_user']:.1f}; {one['called_at_once']}; {one['lost']}"
            for one in found.values()
        ]
        table.add_row(name, *cells)
    return table


def _growth(result: Result) -> Table:
    table = Table(title="A warm completing event, as things grow")
    for name in ("", "size", "Mi", "CPU ms", "RCU", "WCU", "DynamoDB calls"):
        table.add_column(name, justify="right" if name else "left")
    for axis, rows in result["growth"].items():
        for row in rows:
            table.add_row(
                axis,
                f"{row['size']:,}",
                _number(row["instructions"], 2),
                _number(row["cpu_ms"], 1),
                f"{row['reads']:g}",
                f"{row['writes']:g}",
                str(row["trips"][0]),
            )
    return table


def _load(result: Result) -> Table:
    clients = sorted(next(iter(result["load"].values())), key=int)
    table = Table(title="Events a second on the emulator, by clients")
    for name in ("", *clients):
        table.add_column(name, justify="right" if name else "left")
    for name, rates in result["load"].items():
        table.add_row(name, *(f"{rates[one]:.0f}" for one in clients))
    return table


def _ratios(result: Result) -> Table:
    table = Table(title="Ratios of instructions")
    for name in ("", "measured", "target", "gate"):
        table.add_column(name, justify="right" if name else "left")
    for name, ratio in result.get("ratios", {}).items():
        limit = targets.RATIOS[name]
        colour = "green" if ratio <= limit.target else "red"
        table.add_row(name, f"[{colour}]{ratio:.2f}[/]", str(limit.target), str(limit.gate))
    return table


def _number(value: float | None, places: int = 0) -> str:
    return f"{value:,.{places}f}" if value else "-"
