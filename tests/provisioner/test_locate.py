"""Which stack is found: the one that is named, that is served here, or that samconfig.toml says."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from local.emulated_stack import Stack
from provisioner import locate
from provisioner.errors import Trouble
from provisioner.locate import Choice


@pytest.fixture
def below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a checkout, and be in a folder deep below it."""
    folder = tmp_path / "src" / "handler"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[default.deploy.parameters]\nstack_name = "deployed"', {"stack_name": "deployed"}),
        ('[default.global.parameters]\nstack_name = "all"', {"stack_name": "all"}),
        (
            'default.global.parameters.stack_name = "all"\ndefault.deploy = {}',
            {"stack_name": "all"},
        ),
        (
            'default.global.parameters = {stack_name = "all", region = "r"}\n'  # noqa: ISC004
            'default.deploy.parameters = {stack_name = "deployed", profile = "p", other = 1}',
            {"stack_name": "deployed", "region": "r", "profile": "p"},
        ),
        ('default.deploy.parameters = {stack_name = "", region = 1}', {"region": "1"}),
        ("[default]", {}),
        ("default = 1", {}),
        ("[default]\ndeploy = []", {}),
    ],
)
def test_name_region_and_profile_are_those_of_sam_deploy(
    text: str, found: dict[str, str], below: Path
) -> None:
    (below / "samconfig.toml").write_text(text)

    assert locate._samconfig() == (below / "samconfig.toml", found)


def test_of_this_checkout_that_is_the_name_in_samconfig() -> None:
    assert locate._samconfig()[1] == {"stack_name": locate.DEFAULT_NAME}


@pytest.mark.parametrize("text", [b"no toml", b"\xff", b""])
def test_a_samconfig_that_is_not_readable_is_not_passed_over(text: bytes, below: Path) -> None:
    file = below / "samconfig.toml"
    if text:
        file.write_bytes(text)
    else:
        file.mkdir()

    with pytest.raises(Trouble, match="cannot be read"):
        locate.find(Choice())


class Asked(Exception):
    """A session was asked for."""


@pytest.mark.parametrize(
    ("choice", "variable", "given"),
    [
        (Choice(local=False), "", ("p", "r")),
        (Choice(local=False), "v", ("p", "r")),
        (Choice("mine", region="x"), "v", ("p", "x")),
        (Choice(profile="y"), "", ("y", "r")),
    ],
)
def test_what_is_said_comes_before_samconfig_and_that_before_the_environment(
    choice: Choice,
    variable: str,
    given: tuple[str, str],
    below: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def session(*, profile_name: str | None, region_name: str | None) -> None:
        asked.append((profile_name, region_name))
        raise Asked

    (below / "samconfig.toml").write_text('default.deploy.parameters = {region="r", profile="p"}')
    serve(below)
    monkeypatch.setenv("AWS_REGION", variable)
    monkeypatch.setattr("provisioner.locate.boto3.Session", session)

    with pytest.raises(Asked):
        locate.find(choice)
    assert asked == [given]
    (below / "samconfig.toml").unlink()
    with pytest.raises(Asked):
        locate.find(Choice(local=False))
    assert asked[1] == (None, variable or None)


def test_a_command_for_this_stack_needs_no_more_than_was_said() -> None:
    named = Choice("mine", "r", None, local=False)

    assert named.options({}) == ("--stack-name", "mine", "--region", "r", "--aws")
    assert named.options({"PROVISIONER_STACK": "mine"}) == ("--region", "r", "--aws")
    assert Choice().options({}) == ()


def served(**changes: str) -> dict[str, str]:
    fields = dict.fromkeys(Stack.__annotations__, "x")
    return fields | {"aws_endpoint_url": "http://127.0.0.1:1", "region": "us-east-1"} | changes


def serve(folder: Path, text: str | None = None) -> None:
    (folder / ".local").mkdir()
    written = text if text is not None else json.dumps(served())
    (folder / ".local" / "stack.json").write_bytes(written.encode("latin-1"))


def test_what_make_serve_writes_is_found_from_any_folder_below(below: Path) -> None:
    serve(below)

    found = locate._served()

    assert found
    assert (found.stack_name, found.aws_endpoint_url) == ("x", "http://127.0.0.1:1")


@pytest.mark.usefixtures("below")
def test_without_a_served_stack_local_says_how_to_have_one() -> None:
    with pytest.raises(Trouble) as trouble:
        locate.find(Choice(local=True))
    assert trouble.value.remedy == "make serve"


@pytest.mark.parametrize(
    "text",
    [
        '{"stack_name": "x"}',
        "{",
        "[]",
        "\xff",
        "",
        json.dumps(served(aws_endpoint_url="http://elsewhere.invalid")),
        json.dumps(served(aws_endpoint_url="http://127.0.0.1@elsewhere.invalid")),
    ],
)
def test_a_served_stack_of_another_release_is_trouble_with_a_remedy(text: str, below: Path) -> None:
    serve(below, text)

    with pytest.raises(Trouble, match="another release") as trouble:
        locate.find(Choice())
    assert "make serve" in trouble.value.remedy


def test_a_served_stack_that_is_gone_is_not_replaced_by_another(below: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    serve(below, json.dumps(served(aws_endpoint_url=url)))

    with pytest.raises(Trouble, match=f"no longer answers at {url}") as trouble:
        locate.find(Choice())
    assert "--aws" in trouble.value.remedy


def test_a_folder_that_has_been_removed_is_below_nothing(below: Path) -> None:
    serve(below)
    (below / "src" / "handler").rmdir()

    assert (locate._samconfig(), locate._served()) == ((None, {}), None)
