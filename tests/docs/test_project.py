"""What others build on: the application repository, `sam init`, CI, and listeners elsewhere."""

import os
import re
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
CI = yaml.safe_load(Path(".github/workflows/ci.yml").read_text())


def test_application_repository_is_told_what_the_project_says() -> None:
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


def test_ci_pins_its_actions_and_may_only_read() -> None:
    (job,) = CI["jobs"].values()
    used = [step["uses"] for step in job["steps"] if "uses" in step]

    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one) for one in used)
    assert CI["permissions"] == {}
    assert job["permissions"] == {"contents": "read"}
    assert job["timeout-minutes"] <= 30


def test_updates_look_at_every_locked_list_and_at_the_actions() -> None:
    updates = yaml.safe_load(Path(".github/dependabot.yml").read_text())["updates"]
    looked_at = {one["package-ecosystem"]: one for one in updates}
    lists = {f"/{path.parent}" for path in Path().glob("[!.]*/**/requirements*.txt")}

    assert looked_at["github-actions"]["directory"] == "/"
    assert lists <= set(looked_at["pip"]["directories"])


@pytest.mark.parametrize("language", ["ts", "hcl"])
def test_listeners_elsewhere_hear_what_is_told(language: str) -> None:
    examples = re.findall(rf"```{language}\n(.+?)```", DOC, flags=re.DOTALL)
    text = "".join(examples)
    sources = re.findall(r"""source"? ?[:=] ?\[([^]]*)\]""", text)
    kinds = re.findall(r"""detail-?[tT]ype"? ?[:=] ?\[([^]]*)\]""", text)

    assert [re.findall(r'"([^"]+)"', one) for one in sources] == [OUT_PATTERN["source"]]
    assert [re.findall(r'"([^"]+)"', one) for one in kinds] == [OUT_PATTERN["detail-type"]]
    assert bus.PATTERN == OUT_PATTERN


@pytest.mark.slow
def test_sam_init_makes_a_project_of_it_and_asks_nothing(tmp_path: Path) -> None:
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
