"""The command line itself: errors are messages, flags stand anywhere, no secret is shown."""

import dataclasses
import importlib
import json
import time
import tomllib
from functools import partial
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

import local.emulated_stack
from handler.credentials import Credentials, SecretUnusable
from handler.transport import Unavailable
from handler.values import Problem
from provisioner import context, locate
from provisioner.errors import Trouble, explained
from provisioner.main import COMMANDS, app, main
from provisioner.secret import Secret, read
from provisioner.stack import Stack
from tests.provisioner.found_stack import stack_of
from tests.world import World

HIDDEN = "ak_hidden"


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
    asked: list[Any] = []
    world = World()
    world.tick()

    def found(name: str | None, *, local: bool | None) -> Stack:
        asked.append((name, local))
        return stack_of(world)

    monkeypatch.setattr(context, "find", found)
    ended = CliRunner().invoke(app, ["--stack-name", "mine", *flags, "--aws"])

    assert asked == [("mine", False)]
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


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[default.deploy.parameters]\nstack_name = "deployed"', "deployed"),
        ('[default.global.parameters]\nstack_name = "all"', "all"),
        ("[default]", locate.DEFAULT_NAME),
        ("no toml", locate.DEFAULT_NAME),
    ],
)
def test_the_stack_is_the_one_that_sam_deploys(
    text: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "samconfig.toml").write_text(text)
    monkeypatch.chdir(tmp_path)

    assert locate._configured() == name


def test_of_this_checkout_that_is_the_name_in_samconfig() -> None:
    assert locate._configured() == locate.DEFAULT_NAME


def test_without_a_served_stack_local_says_how_to_have_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("provisioner.locate.served.read", lambda: Path("nowhere").read_text())

    with pytest.raises(Trouble) as trouble:
        locate.find(None, local=True)
    assert trouble.value.remedy == "make serve"


def test_a_served_stack_of_another_release_is_trouble_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {one.name: "x" for one in dataclasses.fields(local.emulated_stack.Stack)}
    file = tmp_path / "stack.json"
    read_here = partial(local.emulated_stack.read, file)
    monkeypatch.setattr("provisioner.locate.served.read", read_here)

    for text in (json.dumps(fields | {"new": "x"}), json.dumps({"stack_name": "x"}), "{", "[]"):
        file.write_text(text)
        with pytest.raises(Trouble, match="another release") as trouble:
            locate.find(None, local=None)
        assert "make serve" in trouble.value.remedy
    file.write_text(json.dumps(fields))
    assert locate._served() == read_here()


@pytest.mark.parametrize(
    ("region", "given"), [("eu-west-1", {"region_name": "eu-west-1"}), ("", {})]
)
def test_the_region_is_that_of_the_usual_environment(
    region: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def client(_: str, **more: Any) -> None:
        asked.append({name: value for name, value in more.items() if name != "config"})
        raise NoCredentialsError

    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.setattr("provisioner.locate.boto3.client", client)

    with pytest.raises(NoCredentialsError):
        locate.find("mine", local=False)
    assert asked == [given]


class Secrets:
    """Secrets Manager that holds this text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_secret_value(self, **_: str) -> dict[str, str]:
        return {"SecretString": self.text}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "all of it"),
        ("hidden", "all of it"),
        ('["hidden"]', "all of it"),
        ('"hidden"', "all of it"),
        ('{"webhook_secrets": "hidden"}', "webhook_secrets"),
        ('{"webhook_secrets": ["hidden", 1]}', "webhook_secrets.1"),
        ('{"composio_api_key": "ak_hidden…", "webhook_secrets": []}', "composio_api_key"),
        ('{"composio_api_key": 1}', "composio_api_key"),
        ('{"composio_api_key": null}', "composio_api_key"),
    ],
)
def test_a_secret_that_the_functions_cannot_read_is_trouble_and_not_quoted(
    text: str, wrong: str
) -> None:
    secrets: Any = Secrets(text)
    found = stack_of(World())
    vars(found)["secrets"] = secrets

    with pytest.raises(SecretUnusable):
        Credentials(secrets, "secret", time.time).api_key()
    with pytest.raises(Trouble, match=f"not of the form that the functions read: {wrong}:") as one:
        read(found)
    assert "hidden" not in str(one.value)


@pytest.mark.parametrize("key", ["", " ", "\n"])
def test_a_key_of_nothing_is_no_key(key: str) -> None:
    assert not Secret({"composio_api_key": key}).has_api_key
    assert not Secret({}).has_api_key


def test_a_secret_keeps_what_it_has_and_shows_nothing() -> None:
    kept = Secret({"composio_api_key": HIDDEN, "webhook_secrets": ["a", "b"], "note": 1})
    changed = kept.accepting(["c", *kept.webhook_secrets, "a"])

    assert changed.content == {**kept.content, "webhook_secrets": ["c", "a", "b"]}
    assert HIDDEN not in repr(changed)
    assert json.dumps(dict(kept.content))
