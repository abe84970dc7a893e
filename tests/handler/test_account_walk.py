"""One odd account, page or list stops no other, and every walk comes to its end."""

from typing import Any

import httpx
import pytest

from handler.account_walk import MOST_FAILING
from handler.catalog import MEMORY_SECONDS
from handler.paging import Place
from handler.sweep import HANDED_ON_SECONDS, MOST_BACKFILLS, OVERLAP_SECONDS, REPEATING_SECONDS
from handler.walk_table import BACKFILL, Walk
from tests.doubles import Counted, Figured
from tests.fakes.dynamodb import service_error
from tests.world import (
    GMAIL,
    NOW,
    SLACK,
    TARGET,
    World,
    account,
    as_composio_has_it,
    refusal,
    swept_world,
)

LONG_AGO = NOW - 10**6


@pytest.fixture
def world() -> World:
    return swept_world()


def users(number: int) -> list[str]:
    return [f"user_{one:03}" for one in range(number)]


def connect_long_ago(world: World, number: int, page: int = 2) -> set[str]:
    """Let so many users connect everything before the sweep looks, and request a back-fill."""
    world.upstream.page = page
    for user in users(number):
        world.connect(user, created=LONG_AGO)
    world.walk_table.request_backfill(TARGET, at=int(world.now))
    return set(users(number))


def slow(world: World, seconds: int) -> None:
    """Let each page of the list of accounts take this long."""

    def later(_: httpx.QueryParams, listed: httpx.Response) -> httpx.Response:
        world.now += seconds
        return listed

    world.upstream.on_list = later


def repeat_page(world: World, cursor: str) -> None:
    """Let the page of the cursor name itself as the next one."""

    def repeat(params: httpx.QueryParams, listed: httpx.Response) -> httpx.Response:
        if params.get("cursor") != cursor:
            return listed
        return httpx.Response(200, json=listed.json() | {"next_cursor": cursor})

    world.upstream.on_list = repeat


def backfill(world: World) -> None:
    """Work off a back-fill without a sweep."""
    world.sqs.put({"task": "backfill", "target": TARGET.sort_key})
    while world.sqs.messages:
        world.work()


def take_backfill(world: World, target: str, lease: int = 40) -> Walk | None:
    name, now = BACKFILL + target, int(world.now)
    return world.walk_table.take(name, token=target, mine="", now=now, lease=lease)


def refuse_writes(world: World, monkeypatch: pytest.MonkeyPatch, *users: str) -> None:
    """Let DynamoDB refuse every write for these users, as if their item were full."""
    update = world.db.update_item

    def refuse(**request: Any) -> Any:
        if request["Key"]["pk"]["S"].removeprefix("USER#") in users:
            raise service_error("UpdateItem", "ValidationException", "Item size has exceeded")
        return update(**request)

    monkeypatch.setattr(world.db, "update_item", refuse)


def watermark(world: World) -> int:
    (row,) = (one for one in world.target_table.table.partition("SWEEP") if "read_until" in one)
    return int(row["read_until"])


def pages_asked_for(world: World) -> int:
    return sum(one.url.path.endswith("/connected_accounts") for one in world.upstream.requests)


def accounts_asked_for(world: World) -> int:
    return sum("/connected_accounts/" in one.url.path for one in world.upstream.requests)


# --- accounts that cannot be handled ---


def test_account_that_cannot_be_handled_is_set_aside_and_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    for user in users(4):
        world.connect(user)
    refuse_writes(world, monkeypatch, "user_002")

    world.sweep.run(deadline=world.now + 27)

    assert world.ready == set(users(4)) - {"user_002"}
    assert watermark(world) == world.now
    assert counted()["AccountSetAside"] == 2
    assert "SweepFailed" not in counted()
    assert world.sqs.tasks("account") == [
        {"task": "account", "account_id": f"ca_user_002_{one}", "user_id": "user_002"}
        for one in (GMAIL, SLACK)
    ]


def test_account_that_is_set_aside_is_sent_once_and_its_message_is_retried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.connect()
    refuse_writes(world, monkeypatch, "user_1")

    for _ in range(3):
        world.sqs.put({"task": "sweep"})
        world.work()
        world.now += 60

    assert len(world.sqs.tasks("account")) == 2
    assert [seconds for _, seconds in world.sqs.postponed] == [15, 15]


def test_account_that_was_set_aside_is_read_at_composio_and_handled(world: World) -> None:
    world.connect(created=LONG_AGO)
    for account_id in world.upstream.accounts:
        world.sqs.put({"task": "account", "account_id": account_id, "user_id": "user_1"})

    assert world.work() == []
    assert world.row()["status"] == "ready"


def test_account_that_was_handled_in_the_end_may_be_set_aside_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.connect()
    with monkeypatch.context() as broken:
        refuse_writes(world, broken, "user_1")
        world.sweep.run(deadline=world.now + 27)
    world.sqs.messages.clear()
    world.now += 60
    world.sweep.run(deadline=world.now + 27)
    assert world.row()["status"] == "ready"
    for fact in world.upstream.accounts.values():
        fact.update(updated_at="2026-01-01T00:00:30Z", is_disabled=True)
    refuse_writes(world, monkeypatch, "user_1")

    world.now += 60
    world.sweep.run(deadline=world.now + 27)

    assert len(world.sqs.tasks("account")) == 4


def test_failure_of_every_account_ends_the_turn_and_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    before = watermark(world)
    many = users(MOST_FAILING + 5)
    for user in many:
        world.connect(user)
    with monkeypatch.context() as broken:
        refuse_writes(world, broken, *many)
        world.sweep.run(deadline=world.now + 27)

    assert watermark(world) == before
    assert counted()["SweepFailed"] == 1
    assert len(world.sqs.tasks("account")) < 2 * MOST_FAILING
    world.minutes(3)
    assert world.ready == set(many)


# --- pages ---


def test_repeating_pages_end_the_walk_and_the_newest_accounts_are_still_found(
    world: World, counted: Counted, figured: Figured
) -> None:
    world.upstream.page = 6
    for number, user in enumerate(users(9)):
        world.connect(user, created=world.now - number)
    repeat_page(world, "6")
    before = watermark(world)
    world.minutes(5)

    assert pages_asked_for(world) == 10
    assert world.ready == set(users(6))
    assert counted()["PagesRepeat"] == counted()["SweepFailed"] == 5
    assert len(figured("SweepRun")) == 3 + 5
    assert watermark(world) == before
    world.connect("user_new")
    world.minutes(1)
    assert "user_new" in world.ready
    world.upstream.on_list = None
    world.minutes(3)
    assert world.ready == {*users(9), "user_new"}


def test_back_fill_whose_pages_repeat_rests_and_begins_again(
    world: World, counted: Counted
) -> None:
    everybody = connect_long_ago(world, 3)
    repeat_page(world, "2")
    world.minutes(5)
    assert counted()["PagesRepeat"] == 1
    assert len(world.ready) == 2
    world.upstream.on_list = None

    world.minutes(REPEATING_SECONDS // 60)

    assert world.ready == everybody
    assert list(world.walk_table.walks()) == []


def test_circle_of_pages_is_noticed_over_several_turns(world: World, counted: Counted) -> None:
    everybody = connect_long_ago(world, 6)

    def circle(_: httpx.QueryParams, listed: httpx.Response) -> httpx.Response:
        world.now += 9  # a turn reads two pages
        body = listed.json()
        return httpx.Response(200, json=body | {"next_cursor": body["next_cursor"] or "4"})

    world.upstream.on_list = circle
    backfill(world)

    assert counted()["PagesRepeat"] == 1
    assert len(world.sqs.tasks("backfill")) >= 3
    assert world.ready == everybody


def test_walk_whose_cursor_has_become_unknown_begins_again(world: World) -> None:
    everybody = connect_long_ago(world, 3)
    walk = take_backfill(world, TARGET.sort_key)
    assert walk
    world.walk_table.leave(walk._replace(place=Place("99", 9)), until=0)
    world.upstream.on_list = lambda params, listed: (
        refusal(400, "no such cursor") if params.get("cursor") == "99" else listed
    )

    world.minutes(2)

    assert world.ready == everybody
    assert list(world.walk_table.walks()) == []


def test_cursor_that_is_refused_every_time_does_not_cause_a_loop(
    world: World, counted: Counted
) -> None:
    everybody = connect_long_ago(world, 3)
    world.upstream.on_list = lambda params, listed: (
        refusal(400, "no such cursor") if "cursor" in params else listed
    )
    backfill(world)
    assert pages_asked_for(world) == 2
    assert counted()["SweepFailed"] == 1
    world.upstream.on_list = None

    world.minutes(2)

    assert world.ready == everybody


@pytest.mark.parametrize("of_recent", [True, False])
def test_account_that_slips_between_two_pages_is_found_by_another_walk(
    world: World, *, of_recent: bool
) -> None:
    """An account of the first page is deleted before the second is read, so all move up by one."""
    world.now += 3600
    if of_recent:
        world.upstream.page = 2
        for number, user in enumerate(users(4)):
            world.connect(user, created=world.now - OVERLAP_SECONDS - 60 - number)
    else:
        connect_long_ago(world, 4)
    first = next(iter(world.upstream.accounts))

    def shift(params: httpx.QueryParams, listed: httpx.Response) -> httpx.Response:
        if "cursor" not in params:
            world.upstream.accounts.pop(first, None)
        return listed

    world.upstream.on_list = shift
    if of_recent:
        world.minutes(3)
    else:
        backfill(world)

    assert world.ready == set(users(4))
    assert list(world.walk_table.walks()) == []


def test_walk_over_recent_accounts_is_not_repeated_for_the_newest_ones(world: World) -> None:
    world.upstream.page = 2
    for minute in range(3):
        world.connect(f"user_{minute}")
        began = world.now
        world.minutes(1)
        assert watermark(world) == began


def test_new_account_is_found_although_a_later_page_cannot_be_read(world: World) -> None:
    world.upstream.page = 2
    for user in users(3):
        world.connect(user)
    world.upstream.on_list = lambda params, listed: (
        refusal(500, "this page") if params.get("cursor") == "4" else listed
    )
    world.minutes(2)
    assert len(world.ready) == 2
    world.connect("user_new")
    world.minutes(1)
    assert "user_new" in world.ready


def test_old_account_at_the_front_of_the_list_hides_no_other(world: World) -> None:
    for user in users(3):
        world.connect(user)
    odd = as_composio_has_it(account(GMAIL, id="ca_odd", user="odd")) | {"created_at": 0}
    world.upstream.on_list = lambda _, listed: httpx.Response(
        200, json=listed.json() | {"items": [odd, *listed.json()["items"]]}
    )

    world.minutes(1)

    assert world.ready == set(users(3))


# --- turns ---


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


# --- accounts whose user the list does not name ---


def leave_out_users(world: World, *, also_by_id: bool) -> None:
    def without(_: httpx.QueryParams, listed: httpx.Response) -> httpx.Response:
        items = [one | {"user_id": None} for one in listed.json()["items"]]
        return httpx.Response(200, json=listed.json() | {"items": items})

    world.upstream.on_list = without
    if also_by_id:
        for one in world.upstream.accounts.values():
            one["user_id"] = None


def test_account_without_a_user_in_the_list_is_read_by_its_id(
    world: World, counted: Counted
) -> None:
    for user in users(5):
        world.connect(user)
    leave_out_users(world, also_by_id=False)

    world.minutes(1)

    assert world.ready == set(users(5))
    assert "AccountUnnamed" not in counted()


def test_accounts_without_a_user_are_counted_and_only_a_few_are_read_by_id(
    world: World, figured: Figured
) -> None:
    for user in users(5):
        world.connect(user)
    leave_out_users(world, also_by_id=True)

    world.minutes(1)

    assert accounts_asked_for(world) == 3
    assert sum(figured("AccountUnnamed")) == 10


def test_account_without_a_user_is_ignored_when_no_server_requires_it(
    world: World, counted: Counted
) -> None:
    fact = as_composio_has_it(account("ac_other")) | {"created_at": world.now, "user_id": None}
    world.upstream.accounts["ca_other"] = fact

    world.minutes(1)

    assert accounts_asked_for(world) == 0
    assert "AccountUnnamed" not in counted()
