"""`provisioner dead-letters` shows, redrives or drops dead letters, and loses none."""

import json
import re
from typing import Any

import pytest
from typer.testing import Result

from handler import worker
from handler.events import NotAnEnvelope
from provisioner import context, dead_letters
from tests.provisioner import command_line
from tests.provisioner.dead_letter_queue import DUE, DeadLetters
from tests.provisioner.found_stack import stack_of
from tests.world import World

MALFORMED = '{"detail": {"type": "composio.connected_account.expired", "data": {}}}'


def run(
    queue: DeadLetters, monkeypatch: pytest.MonkeyPatch, *arguments: str, **more: Any
) -> Result:
    monkeypatch.setattr(context, "find", lambda _: stack_of(World(), sqs=queue))
    monkeypatch.setattr(dead_letters, "time", queue)
    ended = command_line.run("dead-letters", *arguments, **more)
    assert queue.all_visible
    return ended


@pytest.mark.parametrize(
    ("body", "kind", "understood"),
    [
        ('{"task": "sweep"}', "task sweep", True),
        ('{"detail": {"type": "composio.x", "data": {}}}', "event composio.x", True),
        (MALFORMED, "malformed event composio.connected_account.expired", False),
        ("[1]", "neither a task nor an event", False),
        ("[" * 90000, "not JSON", False),
    ],
)
def test_kind_of_a_message(body: str, kind: str, understood: bool) -> None:
    assert dead_letters.kind(body) == (kind, understood)


def worker_understands(body: str) -> bool:
    try:
        World().worker._understood(body)
    except NotAnEnvelope:
        return False
    return True


@pytest.mark.parametrize(
    "documented", [*re.findall(r'{("task".*?)}', worker.__doc__ or ""), '"task": "x"']
)
def test_redrive_understands_what_the_worker_understands(documented: str) -> None:
    """Otherwise a message would return to the dead-letter queue again and again."""
    task, *named = re.findall(r"\w+", documented)[1:]
    whole = {"task": task} | dict.fromkeys(named, "INSTANCE#x")
    incomplete = [
        {name: value for name, value in whole.items() if name != lacking} for lacking in whole
    ]
    for content in (whole, *incomplete, whole | dict.fromkeys(named, "x")):
        body = json.dumps(content)
        kind, understood = dead_letters.kind(body)
        assert understood == worker_understands(body)
        assert understood == (kind == f"task {task}")


def test_show_prints_bodies_only_with_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = DeadLetters(DUE, "no json", DUE)

    shown = json.loads(run(queue, monkeypatch, "show", "--json").stdout)
    assert (shown["total"], shown["kinds"]) == (3, {"task due": 2, "not JSON": 1})
    assert shown["messages"][1] == {"id": "m1", "kind": "not JSON", "sent_at": 1767225600}
    assert "user_1" not in run(queue, monkeypatch, "show").stdout
    body = json.loads(run(queue, monkeypatch, "show", "--id", "m1", "--body", "--json").stdout)
    assert [one["body"] for one in body["messages"]] == ["no json"]
    assert "user_1" in run(queue, monkeypatch, "show", "--body").stdout
    some = json.loads(run(queue, monkeypatch, "show", "--limit", "1", "--json").stdout)
    assert (some["total"], len(some["messages"])) == (3, 1)
    assert len(queue.bodies) == 3
    assert run(DeadLetters(), monkeypatch, "show").stdout == "there are none\n"


def test_redrive_leaves_what_the_worker_does_not_understand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = DeadLetters("no json", DUE, "no json", MALFORMED)

    ended = run(queue, monkeypatch, "redrive")

    assert ended.stdout == "1 sent to the queue again\n"
    assert "→ provisioner dead-letters drop --kind 'not JSON'" in ended.stderr
    assert (queue.sent, list(queue.bodies)) == ([DUE], ["m0", "m2", "m3"])
    assert json.loads(run(queue, monkeypatch, "redrive", "--json").stdout) == {
        "redriven": 0,
        "left": {"not JSON": 2, "malformed event composio.connected_account.expired": 1},
    }
    run(queue, monkeypatch, "redrive", "--id", "m0", "--id", "m3")
    assert (queue.sent, list(queue.bodies)) == ([DUE, "no json", MALFORMED], ["m2"])


def test_redrive_keeps_what_the_queue_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = DeadLetters(DUE, '{"task": "sweep"}')
    queue.refused = DUE

    assert run(queue, monkeypatch, "redrive").stdout == "1 sent to the queue again\n"
    assert list(queue.bodies) == ["m0"]


def test_redrive_sends_large_messages_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    large = json.dumps({"task": "sweep", "padding": "x" * 200_000})
    queue = DeadLetters(large, large)

    run(queue, monkeypatch, "redrive")
    assert queue.bodies == {}


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        (["--id", "m0"], ["m1", "m2"]),
        (["--kind", "not JSON"], ["m1"]),
        (["--kind", "task due", "--id", "m2"], ["m0"]),
        (["--all"], []),
    ],
)
def test_drop_removes_only_what_is_chosen(
    choice: list[str], left: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = DeadLetters("no json", DUE, "{")

    dropped = run(queue, monkeypatch, "drop", *choice, "--yes", "--json").stdout

    assert json.loads(dropped) == {"dropped": 3 - len(left)}
    assert list(queue.bodies) == left


def test_drop_asks_first_and_requires_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = DeadLetters(DUE)

    assert "--all" in run(queue, monkeypatch, "drop", "--yes", code=2).stderr
    run(queue, monkeypatch, "drop", "--all", "--id", "m0", "--yes", code=2)
    run(queue, monkeypatch, "drop", "--all", code=1, input="n\n")
    assert list(queue.bodies) == ["m0"]
    run(queue, monkeypatch, "drop", "--all", input="y\n")
    assert queue.bodies == {}


@pytest.mark.parametrize(
    ("seconds", "counted", "warning"), [(1, 300, ""), (50, 120, "read 120 only, of about 300")]
)
def test_show_warns_if_it_cannot_read_every_message(
    seconds: float, counted: int, warning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = DeadLetters(*[DUE] * 300, seconds=seconds)

    ended = run(queue, monkeypatch, "show", "--json")

    assert json.loads(ended.stdout)["kinds"] == {"task due": counted}
    assert ("only, of about" in ended.stderr, warning in ended.stderr) == (bool(warning), True)


def test_an_interrupted_command_makes_its_messages_visible_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = DeadLetters(*[DUE] * 30)
    receive = queue.receive_message

    def receive_message(**request: Any) -> Any:
        if queue.now > 0.15:
            raise KeyboardInterrupt
        return receive(**request)

    monkeypatch.setattr(queue, "receive_message", receive_message)

    run(queue, monkeypatch, "show", code=130)
    assert len(queue.bodies) == 30
