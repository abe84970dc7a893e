"""The command line reports every error with a remedy, and takes general options anywhere."""

import importlib
import json
import re
import tomllib
from pathlib import Path

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from handler.credentials import SecretUnusable
from handler.targets import Problem
from handler.telemetry import Metric, count, logger, metrics
from handler.transport import Unavailable
from provisioner import context
from provisioner.errors import explained
from provisioner.locate import Choice
from provisioner.main import COMMANDS
from provisioner.stack import Stack
from tests.provisioner.command_line import run
from tests.provisioner.found_stack import stack_of
from tests.world import World


def aws(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


@pytest.mark.parametrize(
    ("error", "said", "remedy"),
    [
        (NoCredentialsError(), "no usable AWS credentials", "aws sso login"),
        (aws("ExpiredToken"), "have expired", "aws sso login"),
        (aws("InvalidClientTokenId"), "does not know these credentials", "--profile"),
        (aws("AccessDeniedException", "not allowed"), "no permission for DescribeStacks", "ask"),
        (aws("Throttling", "slow down"), "DescribeStacks: slow down", "Throttling"),
        (NoRegionError(), "no AWS region", "AWS_REGION"),
        (ProfileNotFound(profile="x"), "(x)", "--profile"),
        (EndpointConnectionError(endpoint_url="http://x"), "AWS does not answer", "make serve"),
        (Unavailable(Problem("no", 401)), "rejects the API key", "provisioner init"),
        (Unavailable(Problem("no", 403)), "Composio: no", "webhooks"),
        (Unavailable(Problem("no answer: ConnectError")), "Composio: no answer", "status."),
        (Unavailable(Problem("no", 400, suggested_fix="mend it")), "Composio: no", "mend it"),
        (SecretUnusable("the secret cannot be read"), "cannot be read", "provisioner doctor"),
    ],
)
def test_an_error_is_a_message_with_a_remedy(
    error: Exception, said: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Choice) -> Stack:
        raise error

    monkeypatch.setattr(context, "find", fails)
    ended = run("list", code=1)

    assert ended.stdout == ""
    assert said in ended.stderr
    assert remedy in explained(error).remedy
    assert f"→ {explained(error).remedy}" in ended.stderr
    assert "Traceback" not in ended.output


def test_logs_and_metrics_of_the_handler_are_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def counting(_: Choice) -> Stack:
        for number in range(150):
            count(Metric.COMPOSIO_2XX, number)
        logger.error("of no concern here")
        return stack_of(World())

    monkeypatch.setattr(context, "find", counting)
    ended = run("user", "nobody", code=1)

    assert (ended.stdout, ended.stderr.count("\n")) == ("", 2)
    assert capsys.readouterr().out == ""
    count(Metric.COMPOSIO_2XX)
    assert metrics.provider.metric_set.keys() == {Metric.COMPOSIO_2XX}


@pytest.mark.usefixtures("world")
def test_with_json_an_error_is_json_too() -> None:
    error = json.loads(run("user", "nobody", "--json", code=1).stderr)
    assert error["error"] == "nothing is known of nobody"
    assert "backfill" in error["remedy"]
    ended = run("list", "--json", "--status", "none", code=2)
    assert "'none' is not one of" in json.loads(ended.stderr)["error"]


def test_a_bug_is_a_message_and_a_traceback_only_on_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(context, "find", lambda _: int("a secret"))

    ended = run("list", code=1)
    assert "ValueError, which is a fault of this program" in ended.stderr
    assert "a secret" not in ended.stderr
    ended = run("list", code=1, env={"PROVISIONER_TRACEBACK": "1"})
    assert isinstance(ended.exception, ValueError)


@pytest.fixture
def choices(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Choice]:
    """Return the stacks that commands have looked for."""
    choices = list[Choice]()

    def find(choice: Choice) -> Stack:
        choices.append(choice)
        return stack_of(world)

    monkeypatch.setattr(context, "find", find)
    return choices


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["retry"],
        ["retry", "user_1", "--all-failed"],
        ["user"],
        ["user", "user_1", "--nonsense"],
        ["user", "x" * 1025],
        ["user", ""],
        ["list", "--status", "none"],
        ["list", "--limit", "-1"],
        ["watch", "--interval", "nan"],
        ["watch", "--interval", "inf"],
        ["watch", "--times", "0"],
        ["events", "--times", "0"],
        ["logs", ""],
        ["logs", "--since", "yesterday"],
        ["logs", "--since", "9999-12-31T23:59:59-14:00"],
        ["logs", "--level", "none"],
        ["dead-letters"],
        ["dead-letters", "drop"],
        ["list", "--stack-name"],
        ["forget", "user_1", "--yes", "--stack-name", ""],
        ["--stack-name=", "list"],
        ["--region", "", "list"],
        ["list", "--profile", ""],
        ["list", "--stack-name", "--yes"],
        ["list", "--stack-name", "no name"],
        ["list", "--local", "--stack-name", "mine"],
        ["list", "--local", "--region", "eu-west-1"],
        ["list", "--local", "--profile", "mine"],
        ["user", "\udcff"],
        ["user", "\x1b[31m", "more"],
    ],
    ids=repr,
)
def test_a_wrong_command_line_does_nothing(arguments: list[str], choices: list[Choice]) -> None:
    ended = run(*arguments, code=2)

    assert (ended.stdout, choices) == ("", [])
    message, remedy = ended.stderr.splitlines()
    assert message.startswith("provisioner: ")
    assert re.fullmatch(r"→ provisioner( [a-z-]+)* --help", remedy)
    assert "\x1b" not in ended.output


@pytest.mark.parametrize(("variable", "flags"), [("", []), ("no name", []), ("mine", ["--local"])])
def test_the_variable_that_names_the_stack_is_checked_too(
    variable: str, flags: list[str], choices: list[Choice]
) -> None:
    run("list", *flags, code=2, env={"PROVISIONER_STACK": variable})

    assert choices == []


def test_without_arguments_it_prints_its_help() -> None:
    shown = run().stdout

    assert all(command in shown for command in COMMANDS)


def test_it_prints_its_version() -> None:
    assert run("--version").stdout.split()[0] == "provisioner"


@pytest.mark.parametrize(
    "flags",
    [
        ["--json", "user", "user_1", "--aws"],
        ["--stack-name", "mine", "--region", "r", "--profile", "p", "user", "user_1", "--aws"],
        ["user", "--stack-name", "mine", "user_1", "--region=r", "--profile", "p", "--aws"],
    ],
)
def test_general_options_stand_before_or_after_the_command(
    flags: list[str], choices: list[Choice]
) -> None:
    ended = run(*flags, code=1)

    named = Choice("mine", "r", "p", local=False)
    assert choices == [named if "mine" in flags else Choice(local=False)]
    assert "nothing is known of user_1" in ended.stderr


@pytest.mark.usefixtures("world")
def test_after_two_dashes_everything_is_an_argument() -> None:
    assert "nothing is known of --json" in run("user", "--", "--json", code=1).stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_its_examples(command: str) -> None:
    shown = " ".join(run(command, "--help").stdout.split())
    _, examples = COMMANDS[command]

    assert examples
    assert all(f"provisioner {one}" in shown for one in examples)


def test_the_entry_point_exists() -> None:
    script = tomllib.loads(Path("pyproject.toml").read_text())["project"]["scripts"]["provisioner"]
    module, name = script.split(":")

    assert callable(getattr(importlib.import_module(module), name))


def test_the_shell_completes_statuses() -> None:
    asked = {"_PROVISIONER_COMPLETE": "complete_bash", "COMP_WORDS": "provisioner list --status f"}
    ended = run(env={**asked, "COMP_CWORD": "3"}, prog_name="provisioner")

    assert "failed" in ended.stdout.split()
