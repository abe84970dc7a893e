"""Every branch of the core is tested, and nearly every branch of the other modules."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.handler.modules import CORE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

AROUND = 95.0
"""Percent of the lines and branches of the modules outside the core."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Run the fast tests once more, and return the coverage of each module."""
    folder = tmp_path_factory.mktemp("coverage")
    own = os.environ | {"COVERAGE_FILE": str(folder / "data")}
    fast = ["-m", "not slow and not prove", "--ignore=tests/deployed"]
    run = [sys.executable, "-m", "coverage"]
    pytest_ = ["-m", "pytest", "-q", "-p", "no:schemathesis", "-p", "no:cacheprovider", *fast]
    subprocess.run([*run, "run", *pytest_], env=own, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    said = folder / "said.json"
    subprocess.run([*run, "json", "-q", "-o", str(said)], env=own, check=True)  # noqa: S603 - ours
    files = json.loads(said.read_text())["files"]
    return {Path(path).stem: found for path, found in files.items()}


def test_every_module_is_measured(measured: dict[str, dict[str, Any]]) -> None:
    assert {path.stem for path in Path("src/handler").glob("*.py")} == set(measured)


def test_every_line_and_branch_of_the_core_is_tested(measured: dict[str, dict[str, Any]]) -> None:
    lacking = {
        module: (measured[module]["missing_lines"], measured[module]["missing_branches"])
        for module in set[str]().union(*CORE)
        if measured[module]["summary"]["percent_covered"] < 100
    }

    assert lacking == {}


def test_nearly_every_line_and_branch_around_it_is_tested(
    measured: dict[str, dict[str, Any]],
) -> None:
    """What only a deployed stack runs (`services`, `snapshot`) counts as not tested."""
    around = [
        found["summary"]
        for module, found in measured.items()
        if module not in set[str]().union(*CORE)
    ]
    covered = sum(one["covered_lines"] + one["covered_branches"] for one in around)
    there = sum(one["num_statements"] + one["num_branches"] for one in around)

    assert 100 * covered / there >= AROUND
