"""What an operator changes: the status machine holds, and whatever was ended can be run again."""

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from handler.dynamodb import to_item
from handler.fact_table import account_to_row, accounts_key
from handler.user_table import instance_key
from handler.values import Server, Status
from provisioner import context, repairs, replay
from provisioner.errors import Trouble
from provisioner.main import app
from provisioner.scan import of_row, waiting_of
from tests.provisioner.found_stack import stack_of
from tests.world import GMAIL, SERVER, SLACK, World, account, refusal

USERS = 25


class Ended(Exception):
    """The operator has ended the command."""


def failed(world: World, *users: str) -> list[repairs.Key]:
    world.upstream.script.extend(refusal(422, "no such thing") for _ in users)
    for user in users:
        for auth_config in (GMAIL, SLACK):
            world.see(account(auth_config, user=user))
    assert {status(world, user) for user in users} == {"failed"}
    return [(user, SERVER) for user in users]


def status(world: World, user: str) -> str:
    return world.user_table.user(user)[1][SERVER].status.value


def now_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.repairs.time.time", lambda: world.now)


def test_a_failed_instance_is_made_by_the_worker_and_by_one_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    keys = failed(world, "user_1")
    now_is(world, monkeypatch)
    creates = world.upstream.creates

    assert repairs.retry(stack_of(world), keys, lambda _: None) == 1
    assert (status(world, "user_1"), world.upstream.creates) == ("retrying", creates)
    assert world.user_table.user("user_1")[1][SERVER].tried == ""
    world.tick()
    assert (status(world, "user_1"), world.upstream.creates) == ("ready", creates + 1)


@pytest.mark.parametrize("other", [one for one in Status if one is not Status.FAILED])
def test_what_is_not_failed_is_left_alone(other: Status) -> None:
    world = World()
    row = {**instance_key("user_1", SERVER), "status": other.value, "attempts": 1}
    world.db.put_item(TableName="table", Item=to_item(row))
    before = world.db.snapshot().rows

    assert not repairs.make_due(stack_of(world), ("user_1", SERVER), now=1)
    assert world.db.snapshot().rows == before


def test_what_does_not_exist_is_not_made() -> None:
    world = World()
    before = world.db.snapshot().rows

    assert not repairs.make_due(stack_of(world), ("nobody", SERVER), now=1)
    assert world.db.snapshot().rows == before


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_retry_that_is_ended_goes_on_when_it_is_run_again_and_does_nothing_twice(
    after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    users = [f"user_{number}" for number in range(USERS)]
    keys, stack = failed(world, *users), stack_of(world)
    now_is(world, monkeypatch)
    creates = world.upstream.creates

    def ended(_: int) -> None:
        if len(world.sqs.sent) >= 10 * after:
            raise Ended

    with pytest.raises(Ended):
        repairs.retry(stack, keys, ended)
    first = len(world.sqs.sent)
    assert 0 < first < USERS
    again = [key for key in keys if status(world, key[0]) == "failed"]
    assert repairs.retry(stack, again, lambda _: None) == USERS - first
    asked = Counter(message["user_id"] for message in world.sqs.sent)
    assert asked == Counter(users)
    while world.sqs.messages:  # as many at once as the queue hands to the worker
        some, world.sqs.messages = world.sqs.messages[:5], world.sqs.messages[5:]
        assert world.worker.work(some, seconds=30) == {"batchItemFailures": []}
    assert {status(world, user) for user in users} == {"ready"}
    assert world.upstream.creates == creates + USERS


def test_what_was_made_due_and_never_sent_is_the_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    (key,) = failed(world, "user_1")
    now_is(world, monkeypatch)

    assert repairs.make_due(stack_of(world), key, now=int(world.now))
    assert world.sqs.sent == []
    world.tick()
    assert status(world, "user_1") == "ready"


def test_waiting_follows_from_the_facts() -> None:
    def facts(user: str, *auth_configs: str) -> dict[str, object]:
        known = (account(one, user=user) for one in auth_configs)
        return accounts_key(user) | {f"account#{one.id}": account_to_row(one) for one in known}

    def stored(user: str, status: Status) -> dict[str, object]:
        key = instance_key(user, SERVER)
        return {**key, "status": status.value, "attempts": 2, "claim_token": "t"}

    servers = [Server(SERVER, frozenset({GMAIL, SLACK}))]
    accounts = [
        facts("lacks slack", GMAIL),
        facts("complete", GMAIL, SLACK),
        facts("not ours", "ac_other"),
        facts("ready", GMAIL),
        facts("told to wait", SLACK),
    ]
    instances = [
        of_row(stored("ready", Status.READY)),
        of_row(stored("told to wait", Status.WAITING)),
    ]

    found = {one.user_id: one for one in waiting_of(accounts, instances, servers)}

    assert {user: one.missing for user, one in found.items()} == {
        "lacks slack": {SLACK},
        "complete": set(),
        "told to wait": {GMAIL},
    }
    assert found["told to wait"].attempts == 2
    assert {one.status for one in found.values()} == {Status.WAITING}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    body = json.loads(Path("events/connected.json").read_text())["body"]
    line = json.dumps(json.loads(body))
    path = tmp_path / "events.jsonl"
    path.write_text(f"{line}\n" * USERS)
    return path


def test_an_import_goes_on_after_the_last_batch_that_was_taken(file: Path) -> None:
    world = World()
    stack, total = stack_of(world), replay.check(file)

    def ended(_: int) -> None:
        if len(world.sqs.sent) == 20:
            raise Ended

    with pytest.raises(Ended):
        replay.send(stack, file, replay.started(file), ended)
    assert replay.started(file) == 20
    replay.send(stack, file, replay.started(file), lambda _: None)
    assert (len(world.sqs.sent), replay.started(file), total) == (USERS, USERS, USERS)
    assert {message["detail"]["type"] for message in world.sqs.sent}


def test_a_batch_that_the_queue_does_not_take_is_not_passed_over(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    monkeypatch.setattr(world.sqs, "send_message_batch", lambda **_: {"Failed": [{"Id": "0"}]})

    with pytest.raises(ClientError, match="1 not sent"):
        replay.send(stack_of(world), file, 0, lambda _: None)
    assert replay.started(file) == 0


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("no json", "line 2: not JSON"),
        ("[]", "line 2: the body is not a JSON object"),
        ('{"type": "composio.trigger.message", "data": {}}', "line 2: the event is not about"),
        ('{"type": "composio.connected_account.x", "data": {}}', "line 2: data.id"),
    ],
)
def test_a_file_with_a_bad_line_is_refused_whole_and_says_which(
    file: Path, line: str, why: str
) -> None:
    good = file.read_text().splitlines()[0]
    file.write_text(f"{good}\n{line}\n{good}\n")

    with pytest.raises(Trouble, match=f"1 of 3 lines: {why}") as trouble:
        replay.check(file)
    assert "user_1" not in str(trouble.value)


def test_a_file_that_is_not_there_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="cannot be read"):
        replay.check(tmp_path / "none")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"task": "sweep"}', "task sweep"),
        ('{"detail": {"type": "composio.x", "data": {"user_id": "secret"}}}', "event composio.x"),
        ("[1]", "neither a task nor an event"),
        ("[" * 90000, "not JSON"),
    ],
)
def test_a_message_is_named_without_what_it_says(body: str, kind: str) -> None:
    assert repairs.kind(body) == kind


class DeadLetters:
    """SQS with one queue in it, of which each request takes so many seconds."""

    def __init__(self, messages: int, *, seconds: float) -> None:
        self.now = 0.0
        self.seconds = seconds
        self.visible_at = {f"m{number}": 0.0 for number in range(messages)}

    def monotonic(self) -> float:
        return self.now

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {"ApproximateNumberOfMessages": str(len(self.visible_at))}}

    def receive_message(self, *, VisibilityTimeout: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        self.now += self.seconds
        found = list(islice((one for one, at in self.visible_at.items() if at <= self.now), 10))
        for one in found:
            self.visible_at[one] = self.now + VisibilityTimeout
        body = '{"task": "due"}'
        return {
            "Messages": [{"MessageId": one, "ReceiptHandle": one, "Body": body} for one in found]
        }

    def change_message_visibility_batch(self, *, Entries: list[Any], **_: Any) -> None:  # noqa: N803
        for entry in Entries:
            self.visible_at[entry["ReceiptHandle"]] = self.now + entry["VisibilityTimeout"]


@pytest.mark.parametrize(
    ("seconds", "counted", "said"),
    [(0.1, 3000, ""), (5, 1200, "looked at 1200 only, of about 3000")],
)
def test_a_look_at_the_dead_letter_queue_counts_all_or_says_so_and_gives_all_back(
    seconds: float, counted: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = DeadLetters(3000, seconds=seconds)
    stack = stack_of(World(), sqs=dead)
    monkeypatch.setattr(context, "find", lambda *_, **__: stack)
    monkeypatch.setattr(repairs, "time", dead)

    ended = CliRunner().invoke(app, ["redrive", "--dry-run", "--json"])

    assert json.loads(ended.stdout) == {"dead_letter_queue": {"task due": counted}}
    assert ("looked at" in ended.stderr, said in ended.stderr) == (bool(said), True)
    assert max(dead.visible_at.values()) <= dead.now
