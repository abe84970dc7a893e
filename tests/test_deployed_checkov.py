"""checkov finds nothing in the template that `sam build` made."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.deployed_fixtures import House
from tests.test_template import RESOURCES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CHECKOV = Path(".tools/checkov/bin/checkov")


def test_checkov_fails_nothing_and_skips_what_the_template_says(house: House) -> None:
    file = house.build_dir / "template.yaml"
    options = ["--framework", "cloudformation", "--skip-download", "--output", "json"]
    ran = subprocess.run(  # noqa: S603 - all of it is from here
        [CHECKOV, "--file", file, *options], capture_output=True, check=False, text=True
    )
    found = json.loads(ran.stdout)["results"]
    wanted = [
        (skip["id"], skip["comment"])
        for resource in RESOURCES.values()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    skipped = [
        (one["check_id"], one["check_result"]["suppress_comment"])
        for one in found["skipped_checks"]
    ]
    assert [(one["check_id"], one["resource"]) for one in found["failed_checks"]] == []
    assert found["parsing_errors"] == []
    assert len(found["passed_checks"]) > 30
    assert sorted(skipped) == sorted(wanted)
