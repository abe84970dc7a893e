"""The dead-letter queue: all of it can be seen, sent again or removed, and nothing is lost."""

import json
import re
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from handler import worker
from handler.events import NotAnEnvelope
from provisioner import context, dead_letters
from provisioner.main import app
from tests.provisioner.dead_letter_queue import DUE, DeadLetters
from tests.provisioner.found_stack import stack_of
from tests.world import World

MALFORMED = '{"detail": {"type": "composio.connected_account.expired", "data": {}}}'


def run(
    queue: DeadLetters, monkeypatch: pytest.MonkeyPatch, *arguments: str, code: int = 0, **more: Any
) -> Result:
    monkeypatch.setattr(context, "find", lambda _: stack_of(World(), sqs=queue))
    monkeypatch.setattr(dead_letters, "time", queue)
    ended = CliRunner().invoke(app, ["dead-letters", *arguments], **more)
    assert ended.exit_code == code, ended.output
    assert queue.all_given_back
    return ended


@pytest.mark.parametrize(
    ("body", "kind", "understood"),
    [
        ('{"task": "sweep"}', "task sweep", True),
        (
            '{"detail": {"type": "composio.x", "data": {"user_id": "secret"}}}',
            "event composio.x",
            True,
        ),
        (MALFORMED, "malformed event composio.connected_account.expired", False),
        ("[1]", "neither a task nor an event", False),
        ("[" * 90000, "not JSON", False),
    ],
)
def test_a_message_is_named_without_what_it_says(body: str, kind: str, understood: bool) -> None:
    assert dead_letters.kind(body) == (kind, understood)


def worker_understands(body: str) -> bool:
    try:
        World().worker._understood(body)
    except NotAnEnvelope:
        return False
    return True


@pytest.mark.parametrize(
    "told", [*re.findall(r'{("task".*?)}', worker.__doc__ or ""), '"task": "x"']
)
def test_what_is_understood_is_what_the_worker_understands(told: str) -> None:
    """Or else it is sent round in a circle."""
    task, *named = re.findall(r"\w+", told)[1:]
    whole = {"task": task} | dict.fromkeys(named, "INSTANCE#x")
    bodies = [
        {name: value for name, value in whole.items() if name != lacking} for lacking in whole
    ]
    for content in (whole, *bodies, whole | dict.fromkeys(named, "x")):
        body = json.dumps(content)
        kind, understood = dead_letters.kind(body)
        assert understood == worker_understands(body)
        assert understood == (kind == f"task {task}")


def test_show_says_what_there_is_and_its_text_only_when_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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


def test_redrive_sends_what_is_understood_and_says_how_to_drop_the_rest(
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


def test_redrive_of_what_is_chosen_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = DeadLetters("no json", DUE, DUE)

    run(queue, monkeypatch, "redrive", "--id", "m0", "--id", "m2")

    assert (queue.sent, list(queue.bodies)) == (["no json", DUE], ["m1"])


def test_what_the_queue_does_not_take_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = DeadLetters(DUE, '{"task": "sweep"}')
    queue.refused = {DUE}

    assert run(queue, monkeypatch, "redrive").stdout == "1 sent to the queue again\n"
    assert list(queue.bodies) == ["m0"]


def test_large_messages_go_back_in_batches_that_sqs_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    large = json.dumps({"task": "sweep", "padding": "x" * 200_000})
    queue = DeadLetters(*[large] * 10)
    requests: list[int] = []
    really = queue.send_message_batch

    def send_message_batch(**request: Any) -> Any:
        requests.append(len(request["Entries"]))
        return really(**request)

    monkeypatch.setattr(queue, "send_message_batch", send_message_batch)

    run(queue, monkeypatch, "redrive")

    assert requests == [1] * 10
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
def test_drop_removes_what_is_chosen_and_nothing_else(
    choice: list[str], left: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = DeadLetters("no json", DUE, "{")

    dropped = run(queue, monkeypatch, "drop", *choice, "--yes", "--json").stdout

    assert json.loads(dropped) == {"dropped": 3 - len(left)}
    assert list(queue.bodies) == left


def test_drop_asks_and_without_a_choice_it_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = DeadLetters(DUE)

    assert "--all" in run(queue, monkeypatch, "drop", "--yes", code=2).stderr
    run(queue, monkeypatch, "drop", "--all", "--id", "m0", "--yes", code=2)
    run(queue, monkeypatch, "drop", "--all", code=1, input="n\n")
    assert list(queue.bodies) == ["m0"]
    run(queue, monkeypatch, "drop", "--all", input="y\n")
    assert queue.bodies == {}


@pytest.mark.parametrize(
    ("seconds", "counted", "said"),
    [(0.1, 3000, ""), (5, 1200, "read 1200 only, of about 3000")],
)
def test_of_very_many_it_reads_all_or_says_so_and_gives_all_back(
    seconds: float, counted: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = DeadLetters(*[DUE] * 3000, seconds=seconds)

    ended = run(queue, monkeypatch, "show", "--json")

    assert json.loads(ended.stdout)["kinds"] == {"task due": counted}
    assert ("only, of about" in ended.stderr, said in ended.stderr) == (bool(said), True)


def test_what_is_ended_midway_gives_all_back(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = DeadLetters(*[DUE] * 30)
    really = queue.receive_message

    def receive_message(**request: Any) -> Any:
        if queue.now > 1:
            raise KeyboardInterrupt
        queue.now += 0.5
        return really(**request)

    monkeypatch.setattr(queue, "receive_message", receive_message)

    run(queue, monkeypatch, "show", code=130)
    assert len(queue.bodies) == 30
