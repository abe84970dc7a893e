"""`make demo` in a fresh checkout."""

import re
import xml.etree.ElementTree as ET
from itertools import groupby
from pathlib import Path

import pytest

from tests.deployed.checkout import checkout, left_in, started

PICTURE = Path("docs/demo.svg")
SECONDS = 900
COLUMN = 12.2
"""The width of a character in the picture."""

LINES = [
    "sam       built in",
    "sam       deployed in",
    "Composio  has an outage",
    "webhook   200 retrying",
    "table     the instance for srv_demo is retrying, due in ",
    "webhook   not reached: ConnectError",
    "webhook   200 waiting, missing gmail",
    "Composio  delivers the event of ac_gmail at last",
    "webhook   200 ready",
    "table     the instance for srv_demo is ready",
    "Composio  delivers the event of ac_slack a second time",
    "webhook   200 ready",
    "browser   allows it, is sent back to /oauth/callback",
    "page      Connected. Something is still missing: gmail connected, slack still missing",
    "page      You are all set",
    "Composio  ca_",
    "sends no event",
    "table     carol is not known",
    "schedule  sends: sweep",
    "table     the instance for srv_demo is ready",
    "schedule  sends: sweep",
    "table     the instance for srv_demo is ready",
    "/v3/mcp/srv_demo?user_id=alice",
    "agent     lists tools: GMAIL_WHO_AM_I, SLACK_WHO_AM_I",
    "agent     calls GMAIL_WHO_AM_I: ",
    "operator  provisioner profile import srv_demo --name work",
    "operator  provisioner backfill work",
    "table     the session for work is ready",
    "Composio  has removed MCP servers",
    "/v3/mcp/srv_demo?user_id=alice: 410 Gone",
    "bus       alice's tools are at ",
    "agent     calls GMAIL_WHO_AM_I: ",
    "Composio  instances of bob: 1",
    "Composio  sessions of bob: 1",
    "bus       bob: MCP Instance Ready, MCP Session Ready",
    "Composio  instances of alice: 1",
    "bus       carol: MCP Instance Ready, MCP Session Ready",
    "one instance and one session each, and nothing is left running",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return checkout(tmp_path / "a project")


@pytest.mark.timeout(2 * SECONDS)
def test_two_demos_at_once_end_well_and_leave_nothing(folder: Path) -> None:
    with started(folder, "make", "demo") as one, started(folder, "make", "demo") as other:
        said = [each.communicate(timeout=SECONDS)[0] for each in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), "\n".join(said)
    for whole in said:
        in_order(whole)
        assert all(re.match(r" *\d+\.\d\d s  ", line) for line in whole.splitlines() if line)
        assert "\x1b" not in whole
    assert left_in(folder) == []
    picture = masked(shown(PICTURE.read_text()))
    assert picture in [masked(whole.splitlines()) for whole in said], "`make pictures` is due"


def shown(svg: str) -> list[str]:
    """Return the lines of text in the picture."""
    texts = ET.fromstring(svg).iterfind(".//{*}g[@class='demo-matrix']/{*}text")  # noqa: S314 - it is ours
    lines = []
    for _, parts in groupby(texts, key=lambda text: text.get("y")):
        line = ""
        for part in parts:
            line = line.ljust(round(float(part.get("x", 0)) / COLUMN)) + (part.text or "")
        lines.append(line.replace("\xa0", " ").rstrip())
    return lines


def in_order(whole: str) -> None:
    rest = whole
    for line in LINES:
        assert line in rest, whole
        rest = rest.split(line, 1)[1]


def masked(lines: list[str]) -> list[str]:
    """Blank what differs between two runs, and sort the steps that run at the same time."""
    varying = r"^ *\d+\.\d\d|\b\d+(\.\d)? s\b|(?<=127\.0\.0\.1:)\d+|(?<=ca_|rs_)\w+|(?<=its id )\S+"
    blanked = [re.sub(varying, "-", line) for line in lines if line]
    steps_begin = next(i for i, line in enumerate(blanked) if "deployed in" in line)
    return sorted(blanked[:steps_begin]) + blanked[steps_begin:]


@pytest.mark.timeout(SECONDS)
def test_demo_that_cannot_be_built_says_why_and_leaves_nothing(folder: Path) -> None:
    (folder / "src" / "requirements-build.txt").write_text("nothing==0\n")
    with started(folder, "make", "demo") as demo:
        said, _ = demo.communicate(timeout=SECONDS)
    assert demo.returncode != 0
    assert "sam build failed" in said
    assert "Traceback" not in said.split("sam build failed")[0]
    assert left_in(folder) == []
