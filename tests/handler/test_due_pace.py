"""Due instances are queued as fast as they are worked off, so that nothing waits behind them."""

from collections import deque

import httpx
import pytest

from handler import sweep
from handler.sweep import HANDED_ON_SECONDS
from handler.targets import Settlement, Status, Target
from tests.doubles import Counted, refusal
from tests.world import GMAIL, SERVER, SLACK, World, account, swept_world

MOST_DUE = 10
WORKERS, BATCH = 5, 5
"""A fraction of what the code and the template have, so that the tests are fast."""


def make_due(world: World, number: int) -> None:
    """Let so many users who have connected everything have an instance that is due."""
    server = Target(SERVER, frozenset({GMAIL, SLACK}))
    for user in (f"user_{one:04}" for one in range(number)):
        for auth_config in (GMAIL, SLACK):
            world.account_table.record(account(auth_config, user=user))
        now = int(world.now)
        claimed = world.target_table.claim(
            user, server, tried="before", token=user, now=now - 100, lease=40
        )
        world.target_table.settle(claimed, Settlement(Status.RETRYING, due_in=0), now=now - 60)


def slow_down(world: World, seconds: float, answer: str) -> None:
    """Let each create call take one of the workers this long, while the others work, too."""
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

    def run(self, seconds: float) -> None:
        """Work off batch after batch, until so many seconds have passed."""
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


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(sweep, "MOST_DUE", MOST_DUE)
    return swept_world()


def test_queue_stays_short_while_composio_hangs(world: World) -> None:
    make_due(world, 60)
    slow_down(world, 6, "hangs")
    pace = Pace(world)

    pace.run(2 * 60)

    assert max(pace.depths) <= 2 * MOST_DUE
    assert len(pace.waits) == 2
    assert max(pace.waits) < 60
    assert pace.worked > 50
    assert len(world.sqs.tasks("due")) <= pace.worked + 2 * MOST_DUE


def test_due_instances_are_worked_off_without_a_pause_when_composio_answers(world: World) -> None:
    make_due(world, 60)
    slow_down(world, 0.4, "answers")
    pace = Pace(world)

    pace.run(60 * 0.4 / WORKERS + 1)

    assert len(world.ready) == 60
    assert max(pace.depths) <= MOST_DUE + BATCH
    assert len(world.sqs.tasks("due")) == 60


def test_due_instances_are_finished_when_composio_is_back(world: World) -> None:
    make_due(world, 25)
    create = world.upstream._create
    slow_down(world, 6, "hangs")
    pace = Pace(world)
    pace.run(60)
    assert world.ready == set()

    world.upstream._create = create  # type: ignore[method-assign]
    pace.run(120)

    assert len(world.ready) == 25


def test_due_instance_is_queued_once_while_its_message_waits(world: World) -> None:
    make_due(world, 2 * MOST_DUE)

    world.sweep.run(deadline=world.now + 27)
    assert len(world.sqs.tasks("due")) == MOST_DUE
    for _ in range(HANDED_ON_SECONDS // 60 - 1):
        world.now += 60
        world.sweep.run(deadline=world.now + 27)

    assert len(world.sqs.tasks("due")) == MOST_DUE
    (behind,) = world.sqs.tasks("more_due")
    world.sweep.more_due(behind["token"], deadline=world.now + 27)
    queued = [task["user_id"] for task in world.sqs.tasks("due")]
    assert len(set(queued)) == len(queued) == 2 * MOST_DUE


def test_sweep_goes_on_when_the_message_behind_due_instances_is_lost(world: World) -> None:
    make_due(world, 2 * MOST_DUE)
    world.sweep.run(deadline=world.now + 27)
    world.sqs.messages = [one for one in world.sqs.messages if "more_due" not in one["body"]]
    Pace(world, sweeps=False).run(0.2)
    assert len(world.ready) == MOST_DUE

    world.now += HANDED_ON_SECONDS
    Pace(world).run(1)

    assert len(world.ready) == 2 * MOST_DUE


def test_message_behind_due_instances_queues_nothing_when_all_are_done(world: World) -> None:
    make_due(world, 3)
    world.tick()
    (behind,) = world.sqs.tasks("more_due")
    world.upstream.instances.clear()
    make_due(world, 3)
    world.sqs.sent.clear()

    world.sweep.more_due(behind["token"], deadline=world.now + 27)

    assert world.sqs.sent == []


def test_due_instances_that_cannot_be_queued_are_queued_by_the_next_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    make_due(world, 3)
    with monkeypatch.context() as broken:
        broken.setattr(world.sqs, "send_message_batch", lambda **_: {"Failed": [{"Id": "0"}]})
        world.sweep.run(deadline=world.now + 27)
    assert counted()["SweepFailed"] == 1

    world.now += 60
    world.tick()

    assert len(world.ready) == 3


def test_refused_instance_is_not_queued_again_at_once(world: World) -> None:
    world.upstream.script.extend([refusal(429, "slow")] * 3)
    make_due(world, 3)

    world.tick()

    assert len(world.sqs.tasks("due")) == 3
