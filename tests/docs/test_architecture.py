"""The picture of the house is the house."""

import ast
import inspect
import io
import json
import re
import tokenize
import tomllib
import traceback
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from handler import rows
from handler.settings import Settings
from tests.handler.modules import MODULES
from tests.world import World

ARCHITECTURE = Path("docs/architecture.md").read_text()
IMPORTS = {
    room: {name.removeprefix("handler.") for name in names if name.startswith("handler.")}
    - {"telemetry"}
    for room, names in MODULES.items()
}


def beyond(room: str) -> set[str]:
    """Return what a room imports through others."""
    return {far for near in IMPORTS[room] for far in IMPORTS[near] | beyond(near)}


def drawn() -> list[str]:
    """Return the arrows: an import that follows from the others is left out."""
    near = {room: sorted(IMPORTS[room] - beyond(room)) for room in sorted(IMPORTS)}
    return [f"  {room} --> {' & '.join(found)}" for room, found in near.items() if found]


def test_picture_of_the_imports_is_drawn_from_the_code() -> None:
    section = ARCHITECTURE.split("## Who imports whom")[1]
    (graph,) = re.findall(r"```mermaid\nflowchart TD\n(.*?)```", section, flags=re.DOTALL)

    assert graph.splitlines() == drawn()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w./]+)`", ARCHITECTURE))))
def test_each_promise_names_a_test_that_is_there(path: str) -> None:
    assert Path(path).is_file()


def test_rooms_that_are_named_are_there() -> None:
    section = ARCHITECTURE.split("## Where to change what")[1]
    named = set(re.findall(r"`([a-z]+)`", section))

    assert named <= set(MODULES)


def test_table_is_the_one_that_the_code_describes() -> None:
    section = ARCHITECTURE.split("## The table")[1].split("##")[0]
    described = [line for line in (rows.__doc__ or "").splitlines() if line.startswith("|")]

    assert [line for line in section.splitlines() if line.startswith("|")] == described


def on_the_way(effect: Callable[..., Any], seen: list[list[str]]) -> Callable[..., Any]:
    """Note the rooms between the door and the effect, each time that it happens."""

    def noted(*args: Any, **named: Any) -> Any:
        frames = traceback.walk_stack(inspect.currentframe())
        files = [Path(frame.f_code.co_filename) for frame, _ in frames]
        rooms = [file.stem for file in reversed(files) if file.parent.name == "handler"]
        seen.append([room for room, _ in groupby(rooms)])
        return effect(*args, **named)

    return noted


@pytest.mark.parametrize("door", ["webhook", "worker"])
def test_event_goes_through_at_most_five_rooms_and_never_back(
    door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, ways = World(), list[list[str]]()
    first = "connected-second" if door == "worker" else "connected"
    world.deliver_signed(json.loads(Path(f"events/{first}.json").read_text()))
    monkeypatch.setattr(world.db, "update_item", on_the_way(world.db.update_item, ways))
    monkeypatch.setattr(world.upstream, "_create", on_the_way(world.upstream._create, ways))
    if door == "worker":
        world.sqs.put(Path("events/bus.json").read_text())
        world.work()
    else:
        world.deliver_signed(json.loads(Path("events/connected-second.json").read_text()))

    assert world.row()["status"] == "ready"
    assert all(len(way) == len(set(way)) <= 5 and way[0] == door for way in ways)
    section = ARCHITECTURE.split("## The picture")[1].split("##")[0]
    for way in ways:
        assert " → ".join(f"`{room}`" for room in ["door", *way[1:]]) in section


def test_side_by_side_counts_what_is_there() -> None:
    section = Path("docs/decisions.md").read_text().split("<!-- side by side -->")[1]
    said = {
        row[1].strip(): row[2].strip()
        for line in section.splitlines()
        if (row := line.split("|"))[3:]
    }
    texts = [path.read_text() for path in sorted(Path("src/handler").glob("*.py"))]
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]

    assert said["files"] == str(len(texts))
    assert number(said["lines"]) == pytest.approx(
        sum(len(text.splitlines()) for text in texts), rel=0.1
    )
    assert number(said["of them code"]) == pytest.approx(sum(map(lines_of_code, texts)), rel=0.1)
    assert max(len(text.splitlines()) for text in texts) <= number(
        said["lines of the longest file, at most"]
    )
    assert said["settings"] == str(len(Settings.model_fields))
    assert said["dependencies at run time"] == str(len(project["dependencies"]))


def number(said: str) -> int:
    """Return a figure of the table, which has to be nearly right: `3,467`."""
    return int(said.replace(",", ""))


def lines_of_code(text: str) -> int:
    """Return how many lines hold more than docstrings, comments and nothing."""
    prose = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    held = {
        line
        for token in tokens
        if token.type in {tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING}
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(held - prose)
