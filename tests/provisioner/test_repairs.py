"""Repairs respect the status machine, and an interrupted one can be run again."""

from collections import Counter

import pytest

from handler.dynamodb import to_item
from handler.target_table import target_key
from handler.targets import Status
from provisioner import repairs
from tests.doubles import refusal
from tests.provisioner.found_stack import stack_of
from tests.world import GMAIL, SLACK, TARGET, World, account

USERS = 25


class Interrupted(Exception):
    """The operator has interrupted the command."""


def failed(world: World, *users: str) -> list[repairs.Key]:
    world.upstream.script.extend(refusal(422, "no such thing") for _ in users)
    for user in users:
        for auth_config in (GMAIL, SLACK):
            world.see(account(auth_config, user=user))
    assert {status(world, user) for user in users} == {"failed"}
    return [(user, TARGET) for user in users]


def status(world: World, user: str) -> str:
    return world.target_table.user(user)[1][TARGET].status.value


@pytest.fixture
def world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("provisioner.repairs.time.time", lambda: world.now)
    return world


def test_retry_has_the_worker_make_a_failed_instance_with_one_call(world: World) -> None:
    keys = failed(world, "user_1")
    creates = world.upstream.creates

    assert repairs.retry(stack_of(world), keys, lambda _: None) == 1
    assert (status(world, "user_1"), world.upstream.creates) == ("retrying", creates)
    assert world.target_table.user("user_1")[1][TARGET].tried == ""
    world.tick()
    assert (status(world, "user_1"), world.upstream.creates) == ("ready", creates + 1)


@pytest.mark.parametrize("other", [None, *(one for one in Status if one is not Status.FAILED)])
def test_retry_changes_only_what_has_failed(other: Status | None, world: World) -> None:
    if other:
        row = {**target_key("user_1", TARGET), "status": other.value, "attempts": 1}
        world.db.put_item(TableName="table", Item=to_item(row))
    before = world.db.snapshot().rows

    assert not repairs.make_due(stack_of(world), ("user_1", TARGET), now=1)
    assert world.db.snapshot().rows == before


@pytest.mark.parametrize("batches", [1, 2])
def test_an_interrupted_retry_continues_and_repeats_nothing(batches: int, world: World) -> None:
    users = [f"user_{number}" for number in range(USERS)]
    keys, stack = failed(world, *users), stack_of(world)
    creates = world.upstream.creates

    def interrupt(_: int) -> None:
        if len(world.sqs.sent) >= 10 * batches:
            raise Interrupted

    with pytest.raises(Interrupted):
        repairs.retry(stack, keys, interrupt)
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


def test_the_sweep_takes_up_a_retry_whose_message_was_never_sent(world: World) -> None:
    (key,) = failed(world, "user_1")

    assert repairs.make_due(stack_of(world), key, now=int(world.now))
    assert world.sqs.sent == []
    world.tick()
    assert status(world, "user_1") == "ready"
