"""The commands that repair what is stuck, on a deployed stack."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.deployed.application import BOTH, GMAIL, SERVER, SLACK, until
from tests.deployed.operator_commands import Operator

MANY = 30
KILLED = """
import itertools, os, signal
from provisioner import repairs
from provisioner.main import app

calls, make_due = itertools.count(1), repairs.make_due

def make_due_or_die(*arguments, **options):
    if next(calls) > 15:
        os.kill(os.getpid(), signal.SIGKILL)
    return make_due(*arguments, **options)

repairs.make_due = make_due_or_die
app()
"""
"""`provisioner`, killed between its first and its second batch of ten."""


def status(operator: Operator, user: str) -> str:
    return operator.at.statuses([user])[user]


def test_retry_creates_what_had_failed_with_one_more_call(operator: Operator) -> None:
    operator.fail("user_11")
    assert operator.at.connect("user_12", *BOTH).instance == ("ready", [])

    assert operator.json("retry", "user_11")["retried"] == 1
    until(lambda: status(operator, "user_11") == "ready", "it is made")
    posts = operator.at.posts("user_11")
    assert (posts["posts"], posts["created"]) == (2, 1)
    said = operator.run("retry", "user_12", code=1).output
    assert "no target of user_12 is failed: srv_demo is ready" in said
    assert operator.at.posts("user_12")["posts"] == 1


def test_retry_of_all_that_is_killed_midway_goes_on_and_does_nothing_twice(
    operator: Operator,
) -> None:
    users = [f"user_{number:02}" for number in range(MANY)]
    for user in users:
        row = {"pk": f"USER#{user}", "sk": f"INSTANCE#{SERVER}", "status": "failed"}
        operator.put({**row, "attempts": 8, "claim_token": "t"})
    with operator.at.worker_paused():
        killed = subprocess.run(  # noqa: S603 - our own
            [sys.executable, "-c", KILLED, "retry", "--all-failed"],
            env={**os.environ, **operator.environment, "PYTHONPATH": f"src{os.pathsep}."},
            capture_output=True,
            text=True,
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        left = operator.json("list", "--status", "failed", "--limit", "1")["total"]
        assert MANY - 15 <= left <= MANY - 10
        again = operator.run("retry", "--all-failed", "--json")
        assert json.loads(again.stdout)["retried"] == left
        assert f'{{"progress": "retrying", "done": {left}, "total": {left}}}' in again.stderr
        assert set(operator.at.statuses(users).values()) == {"retrying"}
        # What was made due just before the end is left to the sweep.
        assert operator.at.count(operator.at.stack.queue_url) == 10 + left
        assert operator.json("retry", "--all-failed")["retried"] == 0
        operator.at.purge()


def test_dead_letters_are_shown_redriven_and_dropped(operator: Operator) -> None:
    assert operator.at.connect("user_1", *BOTH).instance == ("ready", [])
    task = {"task": "due", "user_id": "user_1", "target": f"INSTANCE#{SERVER}"}
    url = operator.at.stack.dead_letter_queue_url
    for _ in range(13):
        operator.at.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(task))

    for poison in ("no json", '{"neither": 1}'):
        operator.at.sqs.send_message(QueueUrl=url, MessageBody=poison)

    shown = operator.json("dead-letters", "show", "--body")
    kinds = {"task due": 13, "not JSON": 1, "neither a task nor an event": 1}
    assert (shown["total"], shown["kinds"]) == (15, kinds)
    done = operator.run("dead-letters", "redrive", "--json")
    assert json.loads(done.stdout)["redriven"] == 13
    assert '{"progress": "redriving", "done": 15, "total": 15}' in done.stderr
    (poison,) = (one["id"] for one in shown["messages"] if one["body"] == "no json")
    assert operator.json("dead-letters", "drop", "--id", poison, "--yes")["dropped"] == 1
    assert list(operator.json("dead-letters", "show")["kinds"]) == ["neither a task nor an event"]
    assert operator.json("dead-letters", "drop", "--all", "--yes")["dropped"] == 1
    assert operator.at.dead() == 0
    until(operator.at.idle, "the worker has taken them")
    assert operator.at.posts("user_1")["posts"] == 1


def test_backfill_finds_users_without_an_event(operator: Operator) -> None:
    operator.at.complete("user_1", "user_2")

    assert operator.json("backfill", SERVER, "--dry-run") == {
        "kind": "instance", "server_id": SERVER, "accounts": 4, "done": False
    }  # fmt: skip
    assert operator.at.statuses(["user_1"]) == {"user_1": ""}
    done = operator.run("backfill", SERVER)
    assert "pages: 1 of 1" in done.stderr
    until(lambda: operator.at.all_ready(["user_1", "user_2"]), "both are ready")
    assert "one of: srv_demo" in operator.run("backfill", "srv_other", code=1).output


def test_import_takes_a_file_of_events(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    events = operator.at.complete("user_1", "user_2")
    file.write_bytes(b"\n".join(events) + b"\n")

    assert operator.json("import", str(file), "--dry-run")["sent"] == 0
    assert operator.json("import", str(file))["sent"] == 4
    until(lambda: operator.at.all_ready(["user_1", "user_2"]), "both are ready")
    assert list(tmp_path.iterdir()) == [file]


def test_forget_erases_a_user_here_and_nothing_at_composio(operator: Operator) -> None:
    assert operator.at.connect("user_1", *BOTH).instance == ("ready", [])
    assert operator.at.connect("user_10", GMAIL).instance == ("waiting", [SLACK])
    there = operator.at.composio.state()["accounts"]

    operator.run("forget", "user_1", says="n\n", code=1)
    assert status(operator, "user_1") == "ready"
    assert operator.json("forget", "user_1", "--yes")["erased"] == 2
    left = {pk for pk, _ in operator.at.scan() if pk.startswith("USER#")}
    assert left == {"USER#user_10"}
    assert operator.at.composio.state()["accounts"] == there
    assert operator.at.composio.ledger(method="DELETE") == []
    assert "nothing is known" in operator.run("user", "user_1", code=1).output
