"""docs/architecture.md shows the imports, the table and the calls as they are."""

import inspect
import json
import re
import traceback
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from handler import account_table, catalog_table, connect_table, target_table, walk_table
from tests.handler.modules import MODULES
from tests.world import World

ARCHITECTURE = Path("docs/architecture.md").read_text()
IMPORTS = {
    module: {name.removeprefix("handler.") for name in names if name.startswith("handler.")}
    - {"telemetry"}
    for module, names in MODULES.items()
}


def beyond(module: str) -> set[str]:
    """Return what a module imports through others."""
    return {far for near in IMPORTS[module] for far in IMPORTS[near] | beyond(near)}


def drawn() -> list[str]:
    """Return the arrows: an import that follows from the others is left out."""
    near = {module: sorted(IMPORTS[module] - beyond(module)) for module in sorted(IMPORTS)}
    return [f"  {module} --> {' & '.join(found)}" for module, found in near.items() if found]


def test_the_diagram_of_the_imports_is_up_to_date() -> None:
    section = ARCHITECTURE.split("## Who imports whom")[1]
    (graph,) = re.findall(r"```mermaid\nflowchart TD\n(.*?)```", section, flags=re.DOTALL)

    assert graph.splitlines() == drawn()


def test_each_promise_names_a_test_that_exists() -> None:
    named = re.findall(r"`(tests/[\w./]+)`", ARCHITECTURE)

    assert named
    assert [one for one in named if not Path(one).is_file()] == []


def test_modules_that_are_named_exist() -> None:
    section = ARCHITECTURE.split("## Where to change what")[1]
    named = set(re.findall(r"`([a-z_]+)`", section))

    assert named <= set(MODULES)


def test_the_table_is_that_of_the_docstrings() -> None:
    section = ARCHITECTURE.split("## The table")[1].split("##")[0]
    described = [
        line
        for module in (account_table, target_table, catalog_table, walk_table, connect_table)
        for line in (module.__doc__ or "").splitlines()
        if line.startswith("| `")
    ]

    assert [line for line in section.splitlines() if line.startswith("| `")] == described


def on_the_way(effect: Callable[..., Any], seen: list[list[str]]) -> Callable[..., Any]:
    """Record the modules between the entry point and each call of the effect."""

    def noted(*args: Any, **named: Any) -> Any:
        frames = traceback.walk_stack(inspect.currentframe())
        files = [Path(frame.f_code.co_filename) for frame, _ in frames]
        modules = [file.stem for file in reversed(files) if file.parent.name == "handler"]
        seen.append([module for module, _ in groupby(modules)])
        return effect(*args, **named)

    return noted


@pytest.mark.parametrize("entry_point", ["webhook", "worker"])
def test_an_event_passes_through_at_most_five_modules_and_never_back(
    entry_point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, ways = World(), list[list[str]]()
    first = "connected-second" if entry_point == "worker" else "connected"
    world.deliver_signed(json.loads(Path(f"events/{first}.json").read_text()))
    monkeypatch.setattr(world.db, "update_item", on_the_way(world.db.update_item, ways))
    monkeypatch.setattr(world.upstream, "_create", on_the_way(world.upstream._create, ways))
    if entry_point == "worker":
        world.sqs.put(Path("events/bus.json").read_text())
        world.work()
    else:
        world.deliver_signed(json.loads(Path("events/connected-second.json").read_text()))

    assert world.row()["status"] == "ready"
    assert all(len(way) == len(set(way)) <= 5 and way[0] == entry_point for way in ways)
    section = ARCHITECTURE.split("## The picture")[1].split("##")[0]
    for way in ways:
        assert " → ".join(f"`{module}`" for module in ["entry point", *way[1:]]) in section
