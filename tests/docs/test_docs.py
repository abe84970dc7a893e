"""The README cannot rot: what the code has, it names."""

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
    [
        *(field.upper() for field in Settings.model_fields),
        "WebhookUrl",
        "SecretId",
        "CallbackUrl",
    ],
)
def test_docs_name(name: str) -> None:
    assert f"`{name}`" in README + REFERENCE


@pytest.mark.parametrize("parameter", sorted(TEMPLATE["Parameters"]))
def test_reference_tells_the_default_of_each_parameter(parameter: str) -> None:
    default = TEMPLATE["Parameters"][parameter]["Default"]
    shown = default if default != "" else '""'

    assert f"| `{parameter}` | `{shown}` |" in REFERENCE


def test_readme_names_every_make_target_and_none_that_is_not_there() -> None:
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) == set(TARGETS)


def test_reference_says_what_each_metric_counts_and_when_to_worry() -> None:
    section = REFERENCE.split("## Metrics")[1]

    assert re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", section, flags=re.MULTILINE) == list(Metric)


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:src|local|events)/[\w./]*)`", README)))
)
def test_readme_points_at_what_is_there(path: str) -> None:
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
