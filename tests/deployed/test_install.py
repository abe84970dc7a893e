"""The command line as somebody installs it: from the repository, into an environment of its own."""

import dataclasses
import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployed.checkout import ROOT
from tests.deployed.operator_commands import Operator

UV = shutil.which("uv") or ROOT / ".tools" / "uv" / "bin" / "uv"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Install from what is in the working tree; give the folder of the environment."""
    project, tools = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("tools")
    for part in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / part, project)
    for part in ("src", "provisioner", "local", "tests"):
        shutil.copytree(ROOT / part, project / part, ignore=shutil.ignore_patterns("__pycache__"))
    places = {"UV_TOOL_DIR": str(tools), "UV_TOOL_BIN_DIR": str(tools / "bin")}
    subprocess.run(  # noqa: S603 - all of it is from here
        [UV, "tool", "install", "--quiet", "--no-config", project],
        env=os.environ | places,
        check=True,
        timeout=240,
    )
    yield tools / PROJECT["name"]
    shutil.rmtree(tools)


def run(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it as a new user would, anywhere: nothing of this checkout is on the way."""
    return subprocess.run(  # noqa: S603 - all of it is from here
        [installed.parent / "bin" / "provisioner", *arguments],
        cwd=cwd,
        env={"PATH": os.defpath, "HOME": str(cwd), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_installs_two_packages_and_no_more(installed: Path) -> None:
    (record,) = installed.glob("lib/*/site-packages/mcp_instance_provisioner-*.dist-info/RECORD")
    files = [line.split(",")[0] for line in record.read_text().splitlines()]
    top = {file.split("/")[0] for file in files if "dist-info" not in file and ".." not in file}

    assert top == {"handler", "provisioner"}
    assert [file for file in files if file.endswith("requirements.txt")] == []


def test_it_says_its_version_and_its_commands(installed: Path, tmp_path: Path) -> None:
    said = run(installed, tmp_path, "--version")
    assert (said.returncode, said.stdout) == (0, f"provisioner {PROJECT['version']}\n")
    helped = run(installed, tmp_path, "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "doctor" in helped.stdout


def test_it_finds_the_stack_of_make_serve_from_any_folder_below(
    installed: Path, operator: Operator, tmp_path: Path
) -> None:
    below = tmp_path / "src" / "handler"
    below.mkdir(parents=True)
    (tmp_path / ".local").mkdir()
    written = json.dumps(dataclasses.asdict(operator.at.stack))
    (tmp_path / ".local" / "stack.json").write_text(written)

    for options in ([], ["--local"]):
        said = run(installed, below, "list", *options)
        assert (said.returncode, said.stdout) == (0, "0 in all\n"), said.stderr
    told = json.loads(run(installed, below, "doctor", "--json").stdout)
    versions = [one["message"] for one in told if one["check"] == "version"]
    assert versions == [PROJECT["version"]]
    refused = run(installed, below, "list", "--stack-name", "mine", "--local")
    assert (refused.returncode, refused.stdout) == (2, "")


def test_without_credentials_it_says_what_to_do(installed: Path, tmp_path: Path) -> None:
    said = run(installed, tmp_path, "--stack-name", "mine", "list")

    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.splitlines()[0].startswith("provisioner: no AWS region is set")
