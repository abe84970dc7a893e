"""`provisioner events` and `provisioner logs` show what happens, and end when told to."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import IO, Any

import pytest

from handler.telemetry import hashed
from provisioner import bus
from tests.deployed.application import BOTH, PATIENCE_SECONDS, someone, until
from tests.deployed.operator_commands import Operator


@contextlib.contextmanager
def started(operator: Operator, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-m", "provisioner", "--json", *arguments],
        env={**os.environ, **operator.environment, "PYTHONPATH": f"src{os.pathsep}."},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(stream: IO[str] | None) -> Any:
    assert stream
    return json.loads(stream.readline())


def left(operator: Operator) -> tuple[list[str], list[str]]:
    """Return the names of the rules and of the queues that are there."""
    rules = operator.at.events.list_rules(
        EventBusName=operator.at.stack.bus_name, NamePrefix=bus.PREFIX
    )
    queues = operator.at.sqs.list_queues(QueueNamePrefix=bus.PREFIX).get("QueueUrls", [])
    return [one["Name"] for one in rules["Rules"]], [url.split("/")[-1] for url in queues]


@contextlib.contextmanager
def users_connecting(operator: Operator) -> Iterator[None]:
    """Have one user after another connect: we cannot see when a command begins to listen."""
    ended = Event()

    def connect() -> None:
        while not ended.wait(0.5):
            operator.at.connect(someone("soon"), *BOTH)

    thread = Thread(target=connect)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_events_shows_each_outcome_and_leaves_nothing(
    operator: Operator, number: signal.Signals
) -> None:
    user = someone("shown")
    with started(operator, "events") as process:
        assert "listening" in said(process.stderr)["message"]
        rules, queues = left(operator)
        assert rules == queues != []
        operator.fail(user)
        assert operator.json("retry", user)["retried"] == 1
        for status in ("failed", "ready"):
            detail = said(process.stdout)["detail"]
            assert (detail["user_id"], detail["status"]) == (user, status)
        process.send_signal(number)
        rest = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, *rest) == (128 + number, "", "")
    assert left(operator) == ([], [])


def test_what_a_killed_process_has_left_is_removed_by_a_later_one_after_five_minutes(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(operator, "events") as process:
        said(process.stderr)
        process.kill()
    ([killed], _) = left(operator)

    def shown_once() -> str:
        with users_connecting(operator):
            return operator.run("events", "--times", "1").output

    assert killed not in shown_once()
    assert left(operator) == ([killed], [killed])
    later = SimpleNamespace(
        time=lambda: time.time() + bus.IN_USE_SECONDS + 1, monotonic=time.monotonic
    )
    monkeypatch.setattr(bus, "time", later)
    assert f"an earlier run has left: {killed}" in shown_once()
    assert left(operator) == ([], [])


def test_logs_shows_what_was_logged_of_a_user_or_what_failed_and_goes_on(
    operator: Operator,
) -> None:
    since = ("--since", datetime.now(UTC).isoformat())
    failing, fine = someone("failing"), someone("fine")
    with started(operator, "logs", "--follow", *since) as process:
        operator.fail(failing)
        assert said(process.stdout)["status"] == "failed"
        operator.at.connect(fine, *BOTH)
        operator.at.queue("no json")
        poison = said(process.stdout)
        assert (poison["function"], poison["message"]) == ("worker", "message not understood")
        operator.at.purge()  # the poison would come back
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 130

    def logged(*arguments: str) -> list[Any]:
        shown = operator.run("logs", *arguments, *since, "--json").stdout
        return [json.loads(line) for line in shown.splitlines()]

    until(lambda: len(logged(fine)) == 3, "all lines are there")
    messages = sorted(one["message"] for one in logged(fine))
    assert messages == ["event handled", "event handled", "target settled"]
    assert logged(hashed(fine)) == logged(fine)
    assert {one["user_id"] for one in logged("--level", "info", fine)} == {hashed(fine)}
    assert [one["message"] for one in logged("--level", "error", failing)] == ["target settled"]
    shown = until(lambda: operator.run("logs", *since).stdout, "it is there").splitlines()
    assert any("ERROR  webhook  target settled" in line for line in shown)
    assert f"user_id={hashed(failing)}" in shown[0]
    assert "nothing since" in operator.run("logs", someone("nobody")).stderr


def test_the_documented_permissions_are_enough(operator: Operator) -> None:
    page = Path("docs/provisioner.md").read_text()
    (listed,) = re.findall(r"^\| `events` \|(.*)\|$", page, re.MULTILINE)
    allowed = [*re.findall(r"`((?:events|sqs):\w+)`", listed), "cloudformation:DescribeStacks"]
    statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
    name = someone("operator")
    operator.at.iam.create_user(UserName=name)
    operator.at.iam.put_user_policy(
        UserName=name,
        PolicyName="documented",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    key = operator.at.iam.create_access_key(UserName=name)["AccessKey"]
    keys = {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    operator.environment |= keys
    assert "no permission" in operator.run("list", code=1).output
    with users_connecting(operator):
        operator.run("events", "--times", "1")
