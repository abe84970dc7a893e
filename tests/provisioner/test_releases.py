"""Releases are the git tags of the repository that the command was installed from."""

import json
import subprocess
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from provisioner import releases
from provisioner.errors import Trouble


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@invalid")
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True)  # noqa: S603, S607


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "x")
    for tag in ("v0.9.0", "v0.10.0", "v9.9.9-rc1", "other"):
        git(folder, "tag", tag)
    return folder


def installed(monkeypatch: pytest.MonkeyPatch, told: Any) -> None:
    text = None if told is None else json.dumps(told)
    distribution = SimpleNamespace(read_text=lambda _: text)
    monkeypatch.setattr(metadata, "distribution", lambda _: distribution)


def test_the_newest_release_is_found_from_a_repository_and_a_checkout(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, {"url": repository.as_uri(), "vcs_info": {"vcs": "git"}})
    assert releases.newest() == "0.10.0"

    git(tmp_path, "clone", "--quiet", "--no-tags", repository.as_uri(), "clone")
    clone = tmp_path / "clone"
    installed(monkeypatch, {"url": clone.as_uri(), "dir_info": {"editable": True}})
    assert releases.newest() == "0.10.0"


@pytest.mark.parametrize("told", [None, {"url": "file:///nowhere", "dir_info": {}}])
def test_without_a_repository_there_is_an_error(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, told)

    with pytest.raises(Trouble):
        releases.newest()
