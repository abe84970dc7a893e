"""The picture of the house is the house."""

import re
from pathlib import Path

import pytest

from handler import rows
from tests.test_imports import ROOMS

ARCHITECTURE = Path("docs/architecture.md").read_text()
IMPORTS = {
    room: {name.removeprefix("handler.") for name in names if name.startswith("handler.")}
    for room, names in ROOMS.items()
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

    assert named <= set(ROOMS)


def test_table_is_the_one_that_the_code_describes() -> None:
    section = ARCHITECTURE.split("## The table")[1].split("##")[0]
    described = [line for line in (rows.__doc__ or "").splitlines() if line.startswith("|")]

    assert [line for line in section.splitlines() if line.startswith("|")] == described
