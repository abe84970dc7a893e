"""The demo: its story ends well on the deployed stack, and it says so when it does not."""

import io
import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from local import story
from local.scene import Scene
from local.timeline import Timeline
from tests.deployed.checkout import checkout, left_in, started

PICTURE = Path("docs/demo.svg")
SECONDS = 300

LINES = [
    "sam       built in",
    "sam       deployed in",
    "Composio  breaks down",
    "webhook   200 retrying",
    "table     the instance for srv_demo is retrying, due in ",
    "webhook   200 waiting, missing ac_gmail, ac_slack",
    "webhook   not reached: ConnectError",
    "webhook   200 waiting, missing ac_slack",
    "Composio  delivers the event of ACTIVE a second time",
    "Composio  delivers the event of INITIATED at last",
    "webhook   200 ready",
    "table     the instance for srv_demo is ready",
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
    "Composio  instances of bob: 1",
    "bus       bob was told of: MCP Instance Ready",
    "Composio  instances of ada: 1",
    "bus       carol was told of: MCP Instance Ready",
    "one instance each, and nothing is left running",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return checkout(tmp_path / "a project")


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_two_demos_at_once_tell_their_story_end_well_and_leave_nothing(folder: Path) -> None:
    with started(folder, "make", "demo") as one, started(folder, "make", "demo") as other:
        said = [each.communicate(timeout=SECONDS)[0] for each in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), "\n".join(said)
    for whole in said:
        told_in_order(whole)
        assert all(re.match(r" *\d+\.\d\d s  ", line) for line in whole.splitlines() if line)
        assert "\x1b" not in whole
    assert left_in(folder) == []
    picture = masked(shown(PICTURE.read_text()))
    assert picture in [masked(whole.splitlines()) for whole in said], "`make pictures` is due"


def shown(svg: str) -> list[str]:
    """Return the lines of the recording, as one reads them."""
    (group,) = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}g")  # noqa: S314 - it is ours
    return ["".join(line.itertext()) for line in group]


def test_picture_of_the_demo_tells_the_same_story() -> None:
    told_in_order("\n".join(shown(PICTURE.read_text())))


def told_in_order(whole: str) -> None:
    rest = whole
    for line in LINES:
        assert line in rest, whole
        rest = rest.split(line, 1)[1]


def masked(lines: list[str]) -> list[str]:
    """Blank what no two runs have in common; what starts at the same time is put in order."""
    varying = r"^ *\d+\.\d\d|\b\d+(\.\d)? s\b|(?<=127\.0\.0\.1:)\d+|(?<=ca_)\w+|(?<=its id )\S+"
    blanked = [re.sub(varying, "-", line) for line in lines if line]
    story_begins = next(i for i, line in enumerate(blanked) if "deployed in" in line)
    return sorted(blanked[:story_begins]) + blanked[story_begins:]


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_demo_that_cannot_be_built_says_why_and_leaves_nothing(folder: Path) -> None:
    (folder / "src" / "requirements.txt").write_text("nothing==0\n")
    with started(folder, "make", "demo") as demo:
        said, _ = demo.communicate(timeout=SECONDS)
    assert demo.returncode != 0
    assert "sam build failed" in said
    assert "Traceback" not in said.split("sam build failed")[0]
    assert left_in(folder) == []


READY = "MCP Instance Ready"
GOOD: dict[str, Any] = {
    "instances": 1,
    "created": 1,
    "overlap": 1,
    "statuses": ["ready"],
    "told": [READY],
}


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ({}, []),
        ({"instances": 0, "created": 0}, ["instances of ada: 0", "succeeded: 0"]),
        ({"instances": 2}, ["instances of ada: 2"]),
        ({"created": 2}, ["create calls that succeeded: 2"]),
        ({"overlap": 2}, ["create calls at the same time: at most 2"]),
        ({"statuses": []}, ["the instance is missing"]),
        ({"statuses": ["retrying"]}, ["the instance is retrying"]),
        ({"told": []}, ["ada was told of: nothing"]),
        ({"told": [READY, READY]}, [f"{READY}, {READY}"]),
    ],
)
def test_the_end_is_judged(
    found: dict[str, Any], wrong: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = GOOD | found
    call = {"created": found["created"], "max_in_flight": found["overlap"]}
    simulator = SimpleNamespace(
        state=lambda: {"instances": [{"instance_id": "ada"}] * found["instances"]},
        instance_posts=lambda _: [call],
    )
    rows = [{"sk": "ACCOUNTS"}, *({"status": each} for each in found["statuses"])]
    monkeypatch.setattr(story, "rows", lambda *_: rows)
    scene = SimpleNamespace(
        timeline=Timeline(quiet()),
        simulator=simulator,
        stack=None,
        backstage=SimpleNamespace(outcomes=lambda _: found["told"]),
    )
    problems = story.check(cast("Scene", scene), "ada")
    assert len(problems) == len(wrong)
    assert all(part in problem for part, problem in zip(wrong, problems, strict=True))


def quiet(*, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=40, highlight=False)


def said_on(console: Console) -> str:
    return cast("io.StringIO", console.file).getvalue()


def test_lines_are_plain_and_whole_where_there_is_no_terminal() -> None:
    console = quiet()
    with Timeline(console, clock=itertools.count(100.0, 1.5).__next__) as timeline:
        with timeline.step("sam", "build") as progress:
            progress("[*] Validate SAM template")
        timeline.say("webhook", "200 [ready] " + "x" * 60, "green")
    assert said_on(console).splitlines() == [
        "   1.50 s  sam       build ...",
        "   3.00 s  webhook   200 [ready] " + "x" * 60,
    ]


def test_a_terminal_shows_what_still_goes_on() -> None:
    console = quiet(terminal=True)
    with Timeline(console) as timeline, timeline.step("sam", "build") as progress:
        progress("[*] made 3")
        timeline._steps.refresh()
    assert "sam: build" in said_on(console)
    assert "[*]" in said_on(console)
