"""The application repository, `sam init`, CI, releases and examples for listeners."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioner import bus
from tests.docs.events_doc import DOC, OUT_PATTERN
from tests.template.sam_template import TEMPLATE

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads(Path("pyproject.toml").read_text())["project"]
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text()) for path in Path(".github/workflows").iterdir()
}
TOOLS = yaml.safe_load(Path(".github/tools/action.yml").read_text())


def test_the_application_repository_has_the_metadata_of_the_project() -> None:
    said = TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"]

    assert said["Name"] == PROJECT["name"]
    assert said["SemanticVersion"] == PROJECT["version"]
    assert TEMPLATE["Outputs"]["Version"]["Value"] == PROJECT["version"]
    assert said["SpdxLicenseId"] == PROJECT["license"]
    assert re.fullmatch(r"[A-Za-z0-9-]{1,140}", said["Name"])
    assert len(said["Description"]) <= 256
    assert len(said["Author"]) <= 127
    assert len(said["Labels"]) <= 10
    assert all(re.fullmatch(r"[A-Za-z0-9+\-_:/@]{1,127}", label) for label in said["Labels"])
    assert Path(said["LicenseUrl"]).is_file()
    assert Path(said["ReadmeUrl"]).is_file()


def test_workflows_pin_their_actions_and_ci_may_only_read() -> None:
    jobs = [job for one in WORKFLOWS.values() for job in one["jobs"].values()]
    steps = [step for one in (*jobs, TOOLS["runs"]) for step in one["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]

    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}|\./\.github/tools", one) for one in used)
    assert all(one["permissions"] == {} for one in WORKFLOWS.values())
    for job in WORKFLOWS["ci"]["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
        assert job["timeout-minutes"] <= 30
    assert WORKFLOWS["ci"]["jobs"]["check-and-test"]["needs"] == "fast"


def test_a_release_has_the_notes_of_the_changelog(tmp_path: Path) -> None:
    """Nothing is built here: what is tested and built has tests of its own."""
    changelog = Path("CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[(.+?)\](.*)$", changelog, flags=re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    assert headings[1][0] == PROJECT["version"]
    assert all(re.fullmatch(r" - \d{4}-\d\d-\d\d", date) for _, date in headings[1:])
    assert re.findall(r"^\[(.+?)\]: ", changelog, flags=re.MULTILINE) == [
        one for one, _ in headings
    ]

    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / ".ci" / "run").chmod(0o700)
    for file in ("CHANGELOG.md", "pyproject.toml", ".ci/release"):
        shutil.copy(file, tmp_path / file)
    release = tmp_path / ".ci" / "release"
    versions = ("9.9.9", PROJECT["version"])
    ended = [subprocess.run([release, f"v{one}"], check=False) for one in versions]  # noqa: S603
    assert [one.returncode for one in ended] == [1, 9]
    notes = (tmp_path / ".release-notes.md").read_text()
    assert notes.strip() in changelog
    assert "### Added" in notes
    assert not re.search(r"^(## )?\[", notes, re.MULTILINE)


def test_dependabot_updates_every_locked_list_and_the_actions() -> None:
    updates = yaml.safe_load(Path(".github/dependabot.yml").read_text())["updates"]
    looked_at = {one["package-ecosystem"]: one for one in updates}
    lists = {f"/{path.parent}" for path in Path().glob("[!.]*/**/requirements*.txt")}

    assert looked_at["github-actions"]["directory"] == "/"
    assert lists <= set(looked_at["pip"]["directories"])


@pytest.mark.parametrize("language", ["ts", "hcl"])
def test_examples_for_listeners_have_our_pattern(language: str) -> None:
    examples = re.findall(rf"```{language}\n(.+?)```", DOC, flags=re.DOTALL)
    text = "".join(examples)
    sources = re.findall(r"""source"? ?[:=] ?\[([^]]*)\]""", text)
    kinds = re.findall(r"""detail-?[tT]ype"? ?[:=] ?\[([^]]*)\]""", text)

    assert [re.findall(r'"([^"]+)"', one) for one in sources] == [OUT_PATTERN["source"]]
    assert [re.findall(r'"([^"]+)"', one) for one in kinds] == [OUT_PATTERN["detail-type"]]
    assert bus.PATTERN == OUT_PATTERN


@pytest.mark.slow
def test_sam_init_creates_a_project_without_questions(tmp_path: Path) -> None:
    # Of a location that was used before sam asks whether to clone it anew.
    config = tmp_path / "cookiecutter.yaml"
    config.write_text(f"cookiecutters_dir: {tmp_path / 'clones'}\nreplay_dir: {tmp_path}\n")
    sam = [".tools/sam/bin/sam", "init", "--location", f"git+file://{ROOT}"]
    ran = subprocess.run(  # noqa: S603 - all of it is from here
        [*sam, "--name", "mine", "--output-dir", tmp_path],
        env=os.environ | {"COOKIECUTTER_CONFIG": str(config), "SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    made = {path.name for path in (tmp_path / "mine").iterdir()}
    assert made >= {"template.yaml", "samconfig.toml", "Makefile", "src", "local", "README.md"}
