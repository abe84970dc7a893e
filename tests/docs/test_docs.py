"""README and reference name what the code has."""

import re
from pathlib import Path

import pytest

from handler.settings import Settings
from handler.telemetry import Metric
from tests.template.sam_template import TEMPLATE

README = Path("README.md").read_text()
REFERENCE = Path("docs/reference.md").read_text()
MAKEFILE = Path("Makefile").read_text()
TARGETS = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "name",
    [*map(str.upper, Settings.model_fields), "WebhookUrl", "SecretId", "CallbackUrl"],
)
def test_each_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in README + REFERENCE


@pytest.mark.parametrize("parameter", sorted(TEMPLATE["Parameters"]))
def test_the_reference_has_the_default_of_each_parameter(parameter: str) -> None:
    default = TEMPLATE["Parameters"][parameter]["Default"]
    shown = default if default != "" else '""'

    assert f"| `{parameter}` | `{shown}` |" in REFERENCE


def test_the_readme_names_exactly_the_make_targets() -> None:
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) == set(TARGETS)


def test_the_reference_explains_each_metric() -> None:
    section = REFERENCE.split("## Metrics")[1]

    assert re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", section, flags=re.MULTILINE) == list(Metric)


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:src|local|events)/[\w./]*)`", README)))
)
def test_paths_in_the_readme_exist(path: str) -> None:
    assert Path(path).exists()


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ("DLQ|dead letters?", "dead-letter queue"),
        ("signing (secret|key)|webhook key", "webhook secret"),
    ],
)
def test_one_thing_has_one_word(other: str, word: str) -> None:
    prose = [*Path().glob("*.md"), *Path("docs").glob("*.md"), Path("template.yaml")]
    code = [
        path
        for folder in ("src/handler", "provisioner", "local")
        for path in Path(folder).rglob("*.py")
    ]
    said = rf"\b({other})\b"

    assert [path for path in prose + code if re.search(said, path.read_text())] == [], word
