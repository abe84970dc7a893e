"""What an operator changes: the status machine holds, and whatever was ended can be run again."""

from collections import Counter

import pytest

from handler.dynamodb import to_item
from handler.target_table import target_key
from handler.targets import Status
from provisioner import repairs
from tests.provisioner.found_stack import stack_of
from tests.world import GMAIL, SLACK, TARGET, World, account, refusal

USERS = 25


class Ended(Exception):
    """The operator has ended the command."""


def failed(world: World, *users: str) -> list[repairs.Key]:
    world.upstream.script.extend(refusal(422, "no such thing") for _ in users)
    for user in users:
        for auth_config in (GMAIL, SLACK):
            world.see(account(auth_config, user=user))
    assert {status(world, user) for user in users} == {"failed"}
    return [(user, TARGET) for user in users]


def status(world: World, user: str) -> str:
    return world.target_table.user(user)[1][TARGET].status.value


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
    assert world.target_table.user("user_1")[1][TARGET].tried == ""
    world.tick()
    assert (status(world, "user_1"), world.upstream.creates) == ("ready", creates + 1)


@pytest.mark.parametrize("other", [one for one in Status if one is not Status.FAILED])
def test_what_is_not_failed_is_left_alone(other: Status) -> None:
    world = World()
    row = {**target_key("user_1", TARGET), "status": other.value, "attempts": 1}
    world.db.put_item(TableName="table", Item=to_item(row))
    before = world.db.snapshot().rows

    assert not repairs.make_due(stack_of(world), ("user_1", TARGET), now=1)
    assert world.db.snapshot().rows == before


def test_what_does_not_exist_is_not_made() -> None:
    world = World()
    before = world.db.snapshot().rows

    assert not repairs.make_due(stack_of(world), ("nobody", TARGET), now=1)
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
