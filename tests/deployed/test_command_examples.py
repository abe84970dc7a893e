"""Each example in docs/provisioner.md is run, and must print what the page shows.

With RECORD=1 in the environment, the page is updated instead.
"""

import json
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from handler.dynamodb import to_item
from handler.walk_table import BACKFILL, walk_key
from local.simulator.project import DEFAULT_API_KEY
from provisioner.bus import PREFIX
from tests.deployed.application import BOTH, GMAIL, SERVER, until
from tests.deployed.operator_commands import Operator
from tests.world import TARGET

PAGE = Path("docs/provisioner.md").resolve()
BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
EXAMPLE = re.compile(r"^\$ provisioner (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)

MASKS = {
    r"\b(ws|ca|msg|req|mi)_\w+": r"\1_…",
    r"http://127\.0\.0\.1:\d+(/_aws/execute-api/\w+)?": "http://…",
    r"[\d-]+[ T]\d\d:\d\d(:\d\d)?|due \d\d:\d\d:\d\d|\b1\d{9}\b": "<time>",
    r"\d+ (ms|s ago|queued)": r"<n> \1",
    r"queue \d+": "queue <n>",
    r"\b[0-9a-f]{8,}(-[0-9a-f]+)*\b": "<id>",
    r"─+|\s+": " ",
}


def masked(text: str) -> str:
    for pattern, instead in MASKS.items():
        text = re.sub(pattern, instead, text)
    return text.strip()


def users(operator: Operator) -> None:
    """Have a user in each status."""
    assert operator.at.connect("user_1", *BOTH).instance[0] == "ready"
    assert operator.at.connect("user_2", GMAIL).instance[0] == "waiting"
    operator.fail("user_3", "user_4")
    operator.at.composio.add_fault(
        method="POST", path="*/instances", status=503, times=None, message="Unavailable"
    )
    assert operator.at.connect("user_5", *BOTH).instance[0] == "retrying"
    operator.at.composio.clear_faults()


def dead_letters(operator: Operator) -> None:
    task = {"task": "due", "user_id": "user_1", "target": f"INSTANCE#{SERVER}"}
    for body in (json.dumps(task), json.dumps(task), "no json"):
        operator.at.sqs.send_message(
            QueueUrl=operator.at.stack.dead_letter_queue_url, MessageBody=body
        )


def events(operator: Operator) -> None:
    Path("events.jsonl").write_bytes(b"\n".join(operator.at.complete("user_6", "user_7")) + b"\n")


def outcome(operator: Operator) -> None:
    """Have an outcome as soon as the command listens."""

    def connect() -> None:
        queues = operator.at.sqs.list_queues
        (url,) = until(lambda: queues(QueueNamePrefix=PREFIX).get("QueueUrls"), "there is a queue")
        rule: Any = {"Rule": url.split("/")[-1], "EventBusName": operator.at.stack.bus_name}
        until(lambda: operator.at.events.list_targets_by_rule(**rule)["Targets"], "it is heard")
        operator.at.connect("user_8", *BOTH)

    Thread(target=connect).start()


def not_set_up(operator: Operator) -> None:
    """Undo what `init` has done."""
    url = f"{operator.at.composio.url}/api/v3/webhook_subscriptions/{operator.subscription()['id']}"
    httpx.delete(url, headers={"x-api-key": DEFAULT_API_KEY}).raise_for_status()
    operator.at.put_secret()


def no_backfill(operator: Operator) -> None:
    """Remove the back-fill of the new server, which waits for a sweep."""
    key = to_item(walk_key(BACKFILL + TARGET.sort_key))
    operator.at.dynamodb.delete_item(TableName=operator.at.stack.table_name, Key=key)


BEFORE: dict[str, Callable[[Operator], None]] = {
    "doctor": not_set_up,
    "events --times 1": outcome,
    "dead-letters show": dead_letters,
    "backfill srv_demo": no_backfill,
    "import events.jsonl": events,
}
"""What has to be done before an example."""


def test_every_example_prints_what_the_page_says(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    users(operator)
    page = PAGE.read_text()

    def again(block: re.Match[str]) -> str:
        return EXAMPLE.sub(lambda one: f"$ provisioner {one[1]}\n{ran(operator, one[1])}", block[0])

    now = BLOCK.sub(again, page)

    if os.environ.get("RECORD"):
        PAGE.write_text(now)
    said, says = (EXAMPLE.findall("\n".join(BLOCK.findall(text))) for text in (page, now))
    assert {one: masked(out) for one, out in says} == {one: masked(out) for one, out in said}


def ran(operator: Operator, command: str) -> str:
    if before := BEFORE.get(command):
        before(operator)
    ended = operator.run(*shlex.split(command), code=1 if command == "doctor" else 0)
    lines = [line.rstrip() for line in ended.output.splitlines()]
    return "".join(f"{line}\n" for line in lines if line)
