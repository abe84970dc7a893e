"""docs/provisioner.md has every command and option, and no other."""

import re
from pathlib import Path
from typing import Any

import pytest

from provisioner.main import COMMANDS
from tests.provisioner.command_line import COMMAND

PAGE = Path("docs/provisioner.md").read_text()
SECTIONS = {
    title.split()[0]: section
    for title, section in re.findall(
        r"^### `provisioner ([^`]+)`\n(.*?)(?=^##)", PAGE, flags=re.MULTILINE | re.DOTALL
    )
}


def options(command: Any, *below: Any) -> set[str]:
    """Return the options of a command, and of those that stand below it."""
    parameters = [one for each in (command, *below) for one in each.params]
    found = {name for one in parameters for name in (*one.opts, *one.secondary_opts)}
    shown = {name for name in found if name.startswith("--")}
    return shown - {"--help", "--show-completion"}


def test_the_page_has_the_commands_that_exist() -> None:
    assert set(SECTIONS) == set(COMMANDS) == set(COMMAND.commands)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_page_has_the_options_that_exist_and_an_example(name: str) -> None:
    prose, *examples = SECTIONS[name].split("```console")
    named = set(re.findall(r"`(--[a-z-]+)`", prose))
    below = getattr(COMMAND.commands[name], "commands", {})

    assert named == options(COMMAND.commands[name], *below.values())
    assert all(f"$ provisioner {name}" in example for example in examples)
    assert examples
    for one in below:
        assert f"`{one}`" in prose
        assert f"$ provisioner {name} {one}" in "".join(examples)


def test_the_page_has_the_general_options() -> None:
    assert options(COMMAND) <= set(re.findall(r"--[a-z-]+", PAGE.split("## Look")[0]))


@pytest.mark.parametrize(
    "path", ["README.md", "template.yaml", *map(str, Path("docs").glob("*.md"))]
)
def test_other_pages_name_only_commands_that_exist(path: str) -> None:
    flat = " ".join(Path(path).read_text().split())
    named = re.findall(
        r"(?<!instance )(?<![\w/-])provisioner (?:--stack-name \S+ )?([a-z][a-z-]*)", flat
    )

    assert set(named) <= set(COMMANDS)
