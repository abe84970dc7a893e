"""The command line itself: errors are messages, flags stand anywhere, no secret is shown."""

import importlib
import tomllib
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)
from typer.testing import CliRunner

from handler.credentials import SecretUnusable
from handler.transport import Unavailable
from handler.values import Problem
from provisioner import context
from provisioner.errors import explained
from provisioner.locate import Target
from provisioner.main import COMMANDS, app, main
from provisioner.stack import Stack
from tests.provisioner.found_stack import stack_of
from tests.world import World


def aws(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


@pytest.mark.parametrize(
    ("error", "said", "remedy"),
    [
        (NoCredentialsError(), "no usable AWS credentials", "aws sso login"),
        (aws("ExpiredToken"), "have expired", "aws sso login"),
        (aws("InvalidClientTokenId"), "does not know these credentials", "AWS_PROFILE"),
        (aws("AccessDeniedException", "not allowed"), "no permission for DescribeStacks", "ask"),
        (aws("Throttling", "slow down"), "DescribeStacks: slow down", "Throttling"),
        (NoRegionError(), "no AWS region", "AWS_REGION"),
        (ProfileNotFound(profile="x"), "(x)", "AWS_PROFILE"),
        (EndpointConnectionError(endpoint_url="http://x"), "AWS does not answer", "make serve"),
        (Unavailable(Problem("no", 401)), "rejects the API key", "into the secret"),
        (Unavailable(Problem("no", 403)), "Composio: no", "webhooks"),
        (Unavailable(Problem("no answer: ConnectError")), "Composio: no answer", "status."),
        (Unavailable(Problem("no", 400, suggested_fix="mend it")), "Composio: no", "mend it"),
        (SecretUnusable("the secret cannot be read"), "cannot be read", "provisioner doctor"),
    ],
)
def test_whatever_goes_wrong_is_told_with_a_remedy_and_no_traceback(
    error: Exception, said: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Stack:
        raise error

    monkeypatch.setattr(context, "find", fails)
    ended = CliRunner().invoke(app, ["list"])

    assert ended.exit_code == 1
    assert ended.stdout == ""
    assert said in ended.stderr
    assert remedy in explained(error).remedy
    assert f"→ {explained(error).remedy}" in ended.stderr
    assert "Traceback" not in ended.output


def test_a_mistake_of_this_program_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "find", lambda *_, **__: 1 / 0)

    assert isinstance(CliRunner().invoke(app, ["list"]).exception, ZeroDivisionError)


@pytest.mark.parametrize("flags", [["--json", "user", "user_1"], ["user", "user_1", "--json"]])
def test_general_flags_stand_before_or_after_the_command(
    flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Target] = []
    world = World()
    world.tick()

    def found(target: Target) -> Stack:
        asked.append(target)
        return stack_of(world)

    monkeypatch.setattr(context, "find", found)
    ended = CliRunner().invoke(app, ["--stack-name", "mine", *flags, "--aws"])

    assert asked == [Target("mine", local=False)]
    assert "nothing is known of user_1" in ended.stderr


def test_after_two_dashes_everything_is_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "find", lambda *_, **__: stack_of(World()))

    assert "nothing is known of --json" in CliRunner().invoke(app, ["user", "--", "--json"]).stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_its_examples(command: str) -> None:
    said = CliRunner().invoke(app, [command, "--help"]).stdout
    _, examples = COMMANDS[command]

    assert examples
    flat = " ".join(said.split())
    assert all(f"provisioner {one}" in flat for one in examples)


def test_the_entry_point_is_there() -> None:
    script = tomllib.loads(Path("pyproject.toml").read_text())["project"]["scripts"]["provisioner"]
    module, name = script.split(":")

    assert getattr(importlib.import_module(module), name) is main


def test_the_shell_completes_statuses() -> None:
    asked = {"_PROVISIONER_COMPLETE": "complete_bash", "COMP_WORDS": "provisioner list --status f"}
    ended = CliRunner().invoke(app, [], env={**asked, "COMP_CWORD": "3"}, prog_name="provisioner")

    assert "failed" in ended.stdout.split()
