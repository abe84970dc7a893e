"""What is due is queued as fast as it is worked off, so that nothing else waits behind it."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from handler import sweep
from handler.sweep import HANDED_ON_SECONDS
from handler.targets import Settlement, Status, Target
from tests.doubles import Counted
from tests.world import GMAIL, SERVER, SLACK, World, account, refusal, swept_world

MOST_DUE = 20
"""Here: everything is a fifth of what it is, so that the test takes a fifth of the time."""

WORKERS, BATCH = 5, 5
"""How many batches of how many messages the template has worked off at once."""


def make_due(world: World, number: int) -> None:
    """Let so many users who have connected everything have an instance that is due."""
    for user in (f"user_{one:04}" for one in range(number)):
        for auth_config in (GMAIL, SLACK):
            world.account_table.record(account(auth_config, user=user))
        server = Target(SERVER, frozenset({GMAIL, SLACK}))
        now = int(world.now)
        claimed = world.target_table.claim(
            user, server, tried="before", token=user, now=now - 100, lease=40
        )
        world.target_table.settle(claimed, Settlement(Status.RETRYING, due_in=0), now=now - 60)


def lasting(world: World, seconds: float, answer: str) -> None:
    """Let each create call take so long of one of the workers, and all of them work at once."""
    created = world.upstream._create

    def create(request: httpx.Request, server_id: str) -> httpx.Response:
        world.now += min(seconds, request.extensions["timeout"]["read"]) / WORKERS
        if answer == "hangs":
            raise httpx.ReadTimeout("no answer", request=request)
        return created(request, server_id)

    world.upstream._create = create  # type: ignore[method-assign]


class Pace:
    """The queue, worked off in the order of its messages, with a sweep sent each minute."""

    def __init__(self, world: World, *, sweeps: bool = True) -> None:
        self.world = world
        self.sent = dict[str, float]()
        self.waits = list[float]()
        self.worked = 0
        self.depths = list[int]()
        self.next_sweep = world.now if sweeps else float("inf")

    def run(self, seconds: float) -> Iterator[float]:
        """Yield the time after each batch, until so many seconds have gone by."""
        world, end = self.world, self.world.now + seconds
        while world.now < end:
            while self.next_sweep <= world.now:
                self.sent[world.sqs.put({"task": "sweep"})] = self.next_sweep
                self.next_sweep += 60
            waiting = deque(world.sqs.messages)
            batch = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
            if not batch:
                world.now = min(self.next_sweep, end)
                continue
            self.depths.append(len(waiting))
            world.sqs.messages = batch
            for one in batch:
                self.worked += '"task": "due"' in one["body"]
                if one["messageId"] in self.sent:
                    self.waits.append(world.now - self.sent.pop(one["messageId"]))
            began = world.now
            world.work(seconds=30)
            world.now = max(world.now, began + 0.01)
            world.sqs.messages = [*waiting, *world.sqs.messages]
            yield world.now


def ready(world: World) -> int:
    return len(world.upstream.instances)


def tasks(world: World) -> list[dict[str, Any]]:
    return [task for task in world.sqs.sent if task["task"] == "due"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(sweep, "MOST_DUE", MOST_DUE)
    return swept_world()


def test_queue_stays_short_while_composio_hangs(world: World) -> None:
    make_due(world, 200)
    lasting(world, 6, "hangs")
    pace = Pace(world)

    for _ in pace.run(5 * 60):
        pass

    assert max(pace.depths) <= 2 * MOST_DUE
    assert len(pace.waits) == 5
    assert max(pace.waits) < 60
    assert pace.worked > 150
    assert len(tasks(world)) <= pace.worked + 2 * MOST_DUE


def test_what_is_due_is_worked_off_without_a_pause_when_composio_answers(world: World) -> None:
    make_due(world, 200)
    lasting(world, 0.4, "answers")
    pace, began = Pace(world), world.now

    took = next(now - began for now in pace.run(3600) if ready(world) == 200)

    assert took < 200 * 0.4 / WORKERS + 5
    assert max(pace.depths) <= MOST_DUE + BATCH
    assert len(tasks(world)) == 200


def test_what_hung_is_worked_off_when_composio_is_back(world: World) -> None:
    make_due(world, 60)
    created = world.upstream._create
    lasting(world, 6, "hangs")
    pace = Pace(world)
    for _ in pace.run(120):
        pass
    assert ready(world) == 0

    world.upstream._create = created  # type: ignore[method-assign]
    for _ in pace.run(300):
        pass

    assert ready(world) == 60


def test_what_is_due_is_queued_once_while_it_waits_there(world: World) -> None:
    make_due(world, MOST_DUE + 20)

    world.sweep.run(deadline=world.now + 27)
    assert len(tasks(world)) == MOST_DUE
    for _ in range(HANDED_ON_SECONDS // 60 - 1):
        world.now += 60
        world.sweep.run(deadline=world.now + 27)

    assert len(tasks(world)) == MOST_DUE
    (behind,) = [task for task in world.sqs.sent if task["task"] == "more_due"]
    world.sweep.more_due(behind["token"], deadline=world.now + 27)
    assert len({task["user_id"] for task in tasks(world)}) == len(tasks(world)) == MOST_DUE + 20


def test_lost_message_behind_what_is_due_is_made_good_by_the_sweep(world: World) -> None:
    make_due(world, MOST_DUE + 20)
    world.sweep.run(deadline=world.now + 27)
    world.sqs.messages = [one for one in world.sqs.messages if "more_due" not in one["body"]]
    for _ in Pace(world, sweeps=False).run(0.2):
        pass
    assert ready(world) == MOST_DUE

    world.now += HANDED_ON_SECONDS
    for _ in Pace(world).run(1):
        pass

    assert ready(world) == MOST_DUE + 20


def test_message_of_a_chain_that_is_over_queues_nothing(world: World) -> None:
    make_due(world, 3)
    world.tick()
    (behind,) = [task for task in world.sqs.sent if task["task"] == "more_due"]
    world.upstream.instances.clear()
    make_due(world, 3)
    world.sqs.sent.clear()

    world.sweep.more_due(behind["token"], deadline=world.now + 27)

    assert world.sqs.sent == []


def test_queue_that_does_not_take_what_is_due_is_a_part_that_failed(
    world: World, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    make_due(world, 3)
    with monkeypatch.context() as broken:
        broken.setattr(world.sqs, "send_message_batch", lambda **_: {"Failed": [{"Id": "0"}]})
        world.sweep.run(deadline=world.now + 27)
    assert counted()["SweepFailed"] == 1

    world.now += 60
    world.tick()

    assert ready(world) == 3


def test_refusal_is_no_reason_to_queue_it_again_at_once(world: World) -> None:
    world.upstream.script.extend([refusal(429, "slow")] * 3)
    make_due(world, 3)

    world.tick()

    assert len(tasks(world)) == 3
