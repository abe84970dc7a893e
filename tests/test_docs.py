"""The README cannot rot: what the code has, it names."""

import re
from pathlib import Path

import pytest

from handler.instances import Status
from handler.settings import Settings
from handler.telemetry import Metric
from tests.test_template import TEMPLATE

README = Path("README.md").read_text()
MAKEFILE = Path("Makefile").read_text()
TARGETS = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "name",
    [
        *Status,
        *Metric,
        *(field.upper() for field in Settings.model_fields),
        *TEMPLATE["Parameters"],
        "WebhookUrl",
        "SecretId",
    ],
)
def test_readme_names(name: str) -> None:
    assert f"`{name}`" in README


@pytest.mark.parametrize("parameter", sorted(TEMPLATE["Parameters"]))
def test_readme_tells_the_default_of_each_parameter(parameter: str) -> None:
    default = TEMPLATE["Parameters"][parameter]["Default"]
    shown = default if default != "" else '""'

    assert f"| `{parameter}` | `{shown}` |" in README


def test_readme_names_every_make_target_and_none_that_is_not_there() -> None:
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) == set(TARGETS)


def test_readme_metrics_are_the_ones_that_exist() -> None:
    section = README.split("## Metrics")[1].split("##")[0]

    assert set(re.findall(r"`([A-Z][A-Za-z]+)`", section)) - {"McpProvisioner"} == set(Metric)


def test_readme_is_read_in_two_minutes() -> None:
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:src|local|events)/[\w./]*)`", README)))
)
def test_readme_points_at_what_is_there(path: str) -> None:
    assert Path(path).exists()
