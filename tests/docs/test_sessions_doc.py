"""docs/sessions.md: its file is one that is taken, and its commands are ones that run."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioner import context, profiles
from provisioner.main import app
from provisioner.stack import Stack
from tests.provisioner.found_stack import stack_of
from tests.world import PROFILE, World

PAGE = Path("docs/sessions.md").read_text()
COMMANDS = re.findall(r"^ *provisioner (.+)$", PAGE, re.MULTILINE)


def test_file_of_the_page_is_the_profile_that_tests_use() -> None:
    (content,) = re.findall(r"```json\n(.+?)```", PAGE, re.DOTALL)
    assert profiles.read(content) == [PROFILE]


def test_commands_of_the_page_run_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.tick()
    monkeypatch.setattr(context, "find", lambda *_: stack_of(world))
    monkeypatch.setattr(Stack, "close", lambda _: None)
    monkeypatch.setattr("provisioner.scan.entries", lambda *_: [])  # the fake table has no Scan

    codes = [CliRunner().invoke(app, shlex.split(one)).exit_code for one in COMMANDS]

    assert (codes, len(codes)) == ([0, 0, 0], 3)
    assert world.catalog_table.catalog().profiles == ()
