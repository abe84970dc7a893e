"""A walk that takes several turns, each in a message of its own."""

import httpx
import pytest

from handler.catalog import MEMORY_SECONDS
from handler.sweep import HANDED_ON_SECONDS, MOST_BACKFILLS
from tests.doubles import Counted, refusal
from tests.handler.walks import LONG_AGO, backfill, connect_long_ago, take_backfill, users
from tests.world import GMAIL, SLACK, TARGET, World, swept_world


@pytest.fixture
def world() -> World:
    return swept_world()


def slow(world: World, seconds: int) -> None:
    """Let each page of the list of accounts take this long."""

    def later(_: httpx.QueryParams, listed: httpx.Response) -> httpx.Response:
        world.now += seconds
        return listed

    world.upstream.on_list = later


def test_turn_with_little_time_makes_progress(world: World) -> None:
    everybody = connect_long_ago(world, 3, page=100)
    slow(world, 2)
    world.sqs.put({"task": "backfill", "target": TARGET.sort_key})
    for _ in range(20):
        world.work(seconds=6)  # of which three are kept to settle

    assert world.ready == everybody


def test_turn_uses_the_time_that_it_has(world: World) -> None:
    for user in users(10):
        world.connect(user)

    world.sweep.recent("", deadline=world.now + 6)

    assert world.ready == set(users(10))


def test_turn_over_known_accounts_is_handed_on_between_pages(
    world: World, counted: Counted
) -> None:
    connect_long_ago(world, 3)
    backfill(world)
    world.walk_table.request_backfill(TARGET, at=int(world.now))
    slow(world, 15)

    backfill(world)

    assert "SweepFailed" not in counted()
    assert list(world.walk_table.walks()) == []


def test_walk_that_is_handed_on_is_not_sent_again(world: World) -> None:
    connect_long_ago(world, 3)
    slow(world, 15)
    world.sweep.backfill(TARGET, deadline=world.now + 27)
    assert [task for task in world.sqs.tasks("backfill") if "token" in task]
    world.sqs.sent.clear()

    world.now += HANDED_ON_SECONDS - 30
    world.sweep.run(deadline=world.now + 27)

    assert world.sqs.tasks("backfill") == []


def test_walk_whose_message_is_lost_is_taken_up_by_the_sweep(world: World) -> None:
    everybody = connect_long_ago(world, 4)
    slow(world, 15)
    for _ in range(40):
        world.sqs.messages.clear()
        world.sqs.put({"task": "sweep"})
        world.work()
        world.sqs.messages = [one for one in world.sqs.messages if "token" not in one["body"]]
        world.work()
        world.now += 60

    assert world.ready == everybody


def test_walk_that_fails_is_left_to_the_next_sweep(world: World, counted: Counted) -> None:
    everybody = connect_long_ago(world, 1)
    world.upstream.down = True
    world.sqs.put({"task": "backfill", "target": TARGET.sort_key})

    assert world.work() == []
    assert counted()["SweepFailed"] == 1
    world.upstream.down = False
    world.minutes(1)
    assert world.ready == everybody


def test_only_a_few_back_fills_run_at_once_and_none_is_sent_twice() -> None:
    names = [f"srv_{number:02}" for number in range(6)]
    world = World(enrolled=None)
    world.upstream.servers = {one: [GMAIL, SLACK] for one in names}
    world.connect(created=LONG_AGO)
    world.sweep.run(deadline=world.now + 27)
    world.now += MEMORY_SECONDS
    world.sqs.sent.clear()

    world.sweep.run(deadline=world.now + 27)
    (first, *_) = sent = world.sqs.tasks("backfill")
    assert len(sent) == MOST_BACKFILLS
    for task in sent:
        take_backfill(world, task["target"], lease=90)
    world.now += 60
    world.sweep.run(deadline=world.now + 27)
    assert world.sqs.tasks("backfill") == sent
    walk = next(one for one in world.walk_table.walks() if first["target"] in one.name)
    world.walk_table.end(walk)
    world.sweep.run(deadline=world.now + 27)
    assert len(world.sqs.tasks("backfill")) == MOST_BACKFILLS + 1

    world.sqs.messages.clear()
    world.minutes(10)
    assert list(world.walk_table.walks()) == []
    assert world.upstream.instances >= {(one, "user_1") for one in names[1:]}


def test_back_fills_that_always_fail_do_not_keep_another_from_running() -> None:
    bad = [f"srv_{number}" for number in range(MOST_BACKFILLS)]
    world = World(enrolled=None)
    world.upstream.servers = {one: ["ac_bad"] for one in bad} | {"srv_good": [GMAIL, SLACK]}
    world.upstream.on_list = lambda params, listed: (
        refusal(500, "not these") if "ac_bad" in params.get("auth_config_ids", "") else listed
    )
    world.connect(created=LONG_AGO)

    world.minutes(5)

    assert world.row("user_1", "srv_good")["status"] == "ready"
    assert len(list(world.walk_table.walks())) == len(bad)


def test_back_fill_of_a_server_that_is_not_enrolled_is_not_sent(world: World) -> None:
    world.walk_table.request_backfill(TARGET._replace(name="srv_of_others"), at=int(world.now))

    world.minutes(2)

    assert world.sqs.tasks("backfill") == []
