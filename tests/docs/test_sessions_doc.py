"""The file and the commands of docs/sessions.md work."""

import re
import shlex
from pathlib import Path

import pytest

from provisioner import context, profiles
from provisioner.stack import Stack
from tests.provisioner.command_line import run
from tests.provisioner.found_stack import stack_of
from tests.world import PROFILE, World

PAGE = Path("docs/sessions.md").read_text()
COMMANDS = re.findall(r"^ *provisioner (.+)$", PAGE, re.MULTILINE)


def test_the_file_is_the_profile_of_the_tests() -> None:
    (content,) = re.findall(r"```json\n(.+?)```", PAGE, re.DOTALL)
    assert profiles.read(content) == [PROFILE]


def test_the_commands_run_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.tick()
    monkeypatch.setattr(context, "find", lambda *_: stack_of(world))
    monkeypatch.setattr(Stack, "close", lambda _: None)
    monkeypatch.setattr("provisioner.scan.entries", lambda *_: [])  # the fake table has no Scan

    assert len(COMMANDS) == 3
    for one in COMMANDS:
        run(*shlex.split(one))
    assert world.catalog_table.catalog().profiles == ()
