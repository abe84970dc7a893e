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


def test_each_setting_is_documented() -> None:
    names = [*map(str.upper, Settings.model_fields), "WebhookUrl", "SecretId", "CallbackUrl"]

    assert [one for one in names if f"`{one}`" not in README + REFERENCE] == []


def test_the_reference_has_the_default_of_each_parameter() -> None:
    for name, parameter in TEMPLATE["Parameters"].items():
        default = parameter["Default"]
        shown = default if default != "" else '""'
        assert f"| `{name}` | `{shown}` |" in REFERENCE


def test_the_readme_names_exactly_the_make_targets() -> None:
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) == set(TARGETS)


def test_the_reference_explains_each_metric() -> None:
    section = REFERENCE.split("## Metrics")[1]

    assert re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", section, flags=re.MULTILINE) == list(Metric)


def test_paths_in_the_readme_exist() -> None:
    named = re.findall(r"`((?:src|local|events)/[\w./]*)`", README)

    assert named
    assert [one for one in named if not Path(one).exists()] == []


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
