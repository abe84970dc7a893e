"""`provisioner logs` reads the lines that the saved queries find, each once and in order."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handler.telemetry import hashed
from provisioner import log_lines
from provisioner.log_lines import Level
from provisioner.stack import Stack
from tests.provisioner.found_stack import stack_of
from tests.world import World


class Logs:
    """CloudWatch Logs without its filters."""

    def __init__(self, **groups: list[tuple[int, Any]]) -> None:
        self.groups = {f"{name.title()}LogGroupName": lines for name, lines in groups.items()}
        self.asked: list[dict[str, Any]] = []

    def get_paginator(self, _: str) -> "Logs":
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        self.asked.append(request)
        lines = self.groups.get(request["logGroupName"], [])
        events = [
            {"timestamp": at, "eventId": f"{at} {line}", "message": line if isinstance(line, str)
             else json.dumps(line)} for at, line in lines if at >= request["startTime"]
        ]  # fmt: skip
        return [{"events": events[:1]}, {"events": events[1:]}]


def stack(logs: Logs, **parameters: str) -> Stack:
    return replace(stack_of(World(), logs=logs), parameters=parameters)


def line(message: str, level: str = "INFO", user: str = "user_1") -> dict[str, str]:
    return {"level": level, "message": message, "user_id": hashed(user)}


def messages(
    stack: Stack, user: str | None, level: Level | None = None, since: int = 0
) -> list[str]:
    query = log_lines.query(stack, user, level)
    return [one.content["message"] for one in log_lines.read(stack, query, since)]


def test_matching_lines_of_all_functions_are_in_the_order_of_time() -> None:
    logs = Logs(
        webhook=[(1, line("a")), (4, line("d", "ERROR")), (5, line("other", user="user_2"))],
        worker=[(2, "START"), (3, line("c", "WARNING")), (3, '{"level": "ERR'), (3, "[1]")],
        announcer=[(2, line("b", "CRITICAL")), (6, {"_aws": {}}), (7, {"level": []})],
    )

    assert messages(stack(logs), "user_1", Level.INFO) == ["a", "b", "c", "d"]
    assert messages(stack(logs), hashed("user_1"), Level.WARNING) == ["b", "c", "d"]
    assert messages(stack(logs), None, Level.ERROR) == ["b", "d"]
    assert messages(stack(logs), None, Level.DEBUG, since=4) == ["d", "other"]


@pytest.mark.parametrize(
    ("user", "written", "pattern"),
    [
        ("user_1", "hashed", f'{{ ($.user_id = "{hashed("user_1")}") }}'),
        ("a@b.c", "plain", f'{{ ($.user_id = "{hashed("a@b.c")}") || ($.user_id = "a@b.c") }}'),
        ('"} || {*', "plain", '{ $.user_id = "*" }'),
        (None, "hashed", '{ ($.level = "ERROR") || ($.level = "CRITICAL") }'),
    ],
)
def test_cloudwatch_is_asked_only_for_user_ids_that_the_logs_have(
    user: str | None, written: str, pattern: str
) -> None:
    logs = Logs(webhook=[(1, line("it") | ({"user_id": user} if user else {}))])

    found = messages(stack(logs, LogUserIds=written), user)
    assert {asked["filterPattern"] for asked in logs.asked} == {pattern}
    assert found == (["it"] if written == "plain" else [])


def test_failures_are_those_of_the_saved_query() -> None:
    (levels,) = re.findall(r"filter level in (\[.*\])", Path("template.yaml").read_text())

    assert log_lines.query(stack(Logs()), None).levels == tuple(json.loads(levels))


def test_following_shows_a_late_line_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000
    logs = Logs(webhook=[((now - 3600) * 1000, line("old")), (now * 1000, line("new"))], worker=[])
    rounds = iter(range(4))

    class Clock:
        @staticmethod
        def time() -> float:
            return now

        @staticmethod
        def sleep(_: float) -> None:
            if next(rounds) == 0:
                logs.groups["WorkerLogGroupName"].append(((now - 30) * 1000, line("late")))

    monkeypatch.setattr(log_lines, "time", Clock)
    followed = log_lines.follow(stack(logs), log_lines.query(stack(logs), None, Level.INFO), 0)
    assert [next(followed).content["message"] for _ in range(3)] == ["old", "new", "late"]
    with pytest.raises(RuntimeError, match="StopIteration"):  # nothing more in the other rounds
        next(followed)
