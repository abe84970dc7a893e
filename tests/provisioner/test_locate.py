"""Which stack is found: the one that is named, that is served here, or that samconfig.toml says."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from local.emulated_stack import Stack
from provisioner import locate
from provisioner.errors import Trouble
from provisioner.locate import Target

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a checkout, and be in a folder deep below it."""
    folder = tmp_path / "src" / "handler"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[default.deploy.parameters]\nstack_name = "deployed"', "deployed"),
        ('[default.global.parameters]\nstack_name = "all"', "all"),
        ('[default]\nglobal.parameters.stack_name = "all"\ndeploy = {}', "all"),
        (
            '[default]\nglobal.parameters.stack_name = "all"\n'  # noqa: ISC004
            'deploy.parameters.stack_name = "deployed"',
            "deployed",
        ),
        ("[default]", locate.DEFAULT_NAME),
        ("default = 1", locate.DEFAULT_NAME),
        ("[default]\ndeploy = []", locate.DEFAULT_NAME),
        ("no toml", locate.DEFAULT_NAME),
    ],
)
def test_the_stack_is_the_one_that_sam_deploys(text: str, name: str, below: Path) -> None:
    (below / "samconfig.toml").write_text(text)

    assert locate._configured() == name


def test_of_this_checkout_that_is_the_name_in_samconfig() -> None:
    assert locate._configured() == locate.DEFAULT_NAME


def served() -> dict[str, str]:
    fields = dict.fromkeys(Stack.__annotations__, "x")
    return fields | {"aws_endpoint_url": "http://127.0.0.1:1", "region": "us-east-1"}


def test_what_make_serve_writes_is_found_from_any_folder_below(below: Path) -> None:
    (below / ".local").mkdir()
    (below / ".local" / "stack.json").write_text(json.dumps(served()))

    found = locate._served()

    assert found
    assert (found.stack_name, found.aws_endpoint_url) == ("x", "http://127.0.0.1:1")
    client = found.clients()("sqs")
    assert (client.meta.endpoint_url, client.meta.region_name) == (
        "http://127.0.0.1:1",
        "us-east-1",
    )
    client.close()


@pytest.mark.usefixtures("below")
def test_without_a_served_stack_local_says_how_to_have_one() -> None:
    with pytest.raises(Trouble) as trouble:
        locate.find(Target(local=True))
    assert trouble.value.remedy == "make serve"


@pytest.mark.parametrize("text", ['{"stack_name": "x"}', "{", "[]", "\xff"])
def test_a_served_stack_of_another_release_is_trouble_with_a_remedy(text: str, below: Path) -> None:
    (below / ".local").mkdir()
    (below / ".local" / "stack.json").write_bytes(text.encode("latin-1"))

    with pytest.raises(Trouble, match="another release") as trouble:
        locate.find(Target())
    assert "make serve" in trouble.value.remedy


def test_a_folder_that_has_been_removed_is_above_nothing(below: Path) -> None:
    (below / "src" / "handler").rmdir()

    assert locate._configured() == locate.DEFAULT_NAME


@pytest.mark.parametrize(("region", "given"), [("eu-west-1", "eu-west-1"), ("", None)])
def test_the_region_is_that_of_the_usual_environment(
    region: str, given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def session(*, region_name: str | None) -> None:
        asked.append(region_name)
        raise NoCredentialsError

    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.setattr("provisioner.locate.boto3.Session", session)

    with pytest.raises(NoCredentialsError):
        locate.find(Target("mine", local=False))
    assert asked == [given]
