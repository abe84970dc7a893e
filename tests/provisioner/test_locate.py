"""Commands find the stack that is named, that is served here, or that samconfig.toml names."""

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
    """Return a checkout, with the current folder two levels below it."""
    folder = tmp_path / "src" / "handler"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return tmp_path


BOTH = """
default.global.parameters = {stack_name = "all", region = "r"}
default.deploy.parameters = {stack_name = "deployed", profile = "p", other = 1}
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[default.deploy.parameters]\nstack_name = "deployed"', {"stack_name": "deployed"}),
        ('[default.global.parameters]\nstack_name = "all"', {"stack_name": "all"}),
        (BOTH, {"stack_name": "deployed", "region": "r", "profile": "p"}),
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


def test_the_default_name_is_that_of_our_samconfig() -> None:
    assert locate._samconfig()[1] == {"stack_name": locate.DEFAULT_NAME}


@pytest.mark.parametrize("text", [b"no toml", b"\xff", b""])
def test_an_unreadable_samconfig_is_an_error(text: bytes, below: Path) -> None:
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
def test_options_precede_samconfig_and_samconfig_the_environment(
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


def test_suggested_commands_repeat_only_the_options_that_were_given() -> None:
    named = Choice("mine", "r", None, local=False)

    assert named.options({}) == ("--stack-name", "mine", "--region", "r", "--aws")
    assert named.options({"PROVISIONER_STACK": "mine"}) == ("--region", "r", "--aws")
    assert Choice().options({}) == ()


def served(url: str = "http://127.0.0.1:1") -> str:
    fields = dict.fromkeys(Stack.__annotations__, "x")
    return json.dumps(fields | {"aws_endpoint_url": url, "region": "us-east-1"})


def serve(folder: Path, text: str | None = None) -> None:
    (folder / ".local").mkdir()
    written = served() if text is None else text
    (folder / ".local" / "stack.json").write_bytes(written.encode("latin-1"))


def test_the_stack_of_make_serve_is_found_from_any_folder_below(below: Path) -> None:
    serve(below)

    found = locate._served()

    assert found
    assert (found.stack_name, found.aws_endpoint_url) == ("x", "http://127.0.0.1:1")
    (below / "src" / "handler").rmdir()
    assert (locate._samconfig(), locate._served()) == ((None, {}), None)


@pytest.mark.usefixtures("below")
def test_local_without_a_served_stack_suggests_make_serve() -> None:
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
        served("http://elsewhere.invalid"),
        served("http://127.0.0.1@elsewhere.invalid"),
    ],
)
def test_a_served_stack_of_another_release_is_an_error(text: str, below: Path) -> None:
    serve(below, text)

    with pytest.raises(Trouble, match="another release") as trouble:
        locate.find(Choice())
    assert "make serve" in trouble.value.remedy


def test_a_served_stack_that_has_stopped_is_an_error(below: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    serve(below, served(url))

    with pytest.raises(Trouble, match=f"no longer answers at {url}") as trouble:
        locate.find(Choice())
    assert "--aws" in trouble.value.remedy
