"""`watch` shows in 80 columns how many users are in each status."""

import json
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from handler.targets import Status
from provisioner import reading_commands
from provisioner.scan import Entry
from tests.provisioner.command_line import run
from tests.world import TARGET

NOW = {"at": 1767225600, "queue": 12345, "dead_letter_queue": 123, "swept_ago": 59}


def shown(*statuses: Status, **changes: Any) -> list[str]:
    found = [
        Entry(user_id=f"user_{number}", target=TARGET, status=one)
        for number, one in enumerate(statuses)
    ]
    out = StringIO()
    Console(file=out, width=80).print(reading_commands._picture(NOW | changes, found))
    return [line.strip() for line in out.getvalue().splitlines() if line.strip()]


def test_a_status_without_users_has_no_column() -> None:
    first, header, _, numbers, *worst = shown(Status.FAILED, Status.READY, Status.READY)

    assert (header.split(), numbers.split()) == (["ready", "failed"], ["2", "1"])
    assert first == "2026-01-01 00:00:00 UTC, queue 12345, dead-letter queue 123, swept 59 s ago"
    assert [line.split()[0] for line in worst[2:]] == ["user_0"]


def test_users_are_listed_worst_status_first_without_those_ready() -> None:
    statuses = [Status.READY, Status.WAITING, Status.CREATING, Status.RETRYING, Status.FAILED]
    _, header, _, _, *worst = shown(*statuses)

    assert set(header.split()) == {one.value for one in statuses}
    assert [line.split()[0] for line in worst[2:]] == ["user_4", "user_3", "user_2", "user_1"]


def test_without_users_there_is_only_the_first_line() -> None:
    (line,) = shown(queue=0, dead_letter_queue=0, swept_ago=None)

    assert line.endswith("UTC, queue 0, dead-letter queue 0, not swept yet")


@pytest.mark.usefixtures("world")
def test_json_has_every_status(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Entry(user_id="user_1", target=TARGET, status=Status.READY)
    monkeypatch.setattr("provisioner.scan.entries", lambda *_: [one])

    told = json.loads(run("watch", "--times", "1", "--json").stdout)

    assert told["statuses"] == {one.value: 0 for one in Status} | {"ready": 1}
    assert {"queue", "dead_letter_queue", "swept_ago"} < told.keys()
