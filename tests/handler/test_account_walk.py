"""One account, page or list that is odd stops no other, and a walk comes to its end."""

from collections.abc import Callable
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

type Answer = Callable[[httpx.QueryParams], httpx.Response]


@pytest.fixture
def world() -> World:
    return swept_world()


def slow(world: World, seconds: int) -> None:
    """Let each page of the list of accounts take so long."""
    listed = world.upstream._accounts

    def later(params: httpx.QueryParams) -> httpx.Response:
        world.now += seconds
        return listed(params)

    world.upstream._accounts = later  # type: ignore[method-assign]


def repeating(world: World, cursor: str) -> None:
    """Let the page of the cursor name itself as the next one."""
    listed = world.upstream._accounts

    def repeat(params: httpx.QueryParams) -> httpx.Response:
        answer = listed(params)
        if params.get("cursor") != cursor:
            return answer
        return httpx.Response(200, json=answer.json() | {"next_cursor": cursor})

    world.upstream._accounts = repeat  # type: ignore[method-assign]


def connect(world: World, user: str, *, created: float | None = None, **shown: Any) -> None:
    """Let the user connect everything; nobody sends an event about it."""
    for auth_config in (GMAIL, SLACK):
        fact = account(auth_config, id=f"ca_{user}_{auth_config}", user=user)
        at = world.now if created is None else created
        world.upstream.accounts[fact.id] = as_composio_has_it(fact) | {"created_at": at} | shown


def users(number: int) -> list[str]:
    return [f"user_{one:03}" for one in range(number)]


def ready(world: World) -> set[str]:
    return {user for _, user in world.upstream.instances}


def minutes(world: World, number: int) -> None:
    for _ in range(number):
        world.tick()
        world.now += 60


def backfill(world: World) -> None:
    world.walk_table.request_backfill(TARGET, at=int(world.now))
    world.sqs.put({"task": "backfill", "target": TARGET.sort_key})
    while world.sqs.messages:
        world.work()


def take_backfill(world: World, target: str, lease: int = 40) -> Walk | None:
    name, now = BACKFILL + target, int(world.now)
    return world.walk_table.take(name, token=target, mine="", now=now, lease=lease)


def refuse_writes(world: World, monkeypatch: pytest.MonkeyPatch, *users: str) -> None:
    """Let DynamoDB take nothing of these users, as from an item that is full."""
    update = world.db.update_item

    def refuse(**request: Any) -> Any:
        if request["Key"]["pk"]["S"].removeprefix("USER#") in users:
            raise service_error("UpdateItem", "ValidationException", "Item size has exceeded")
        return update(**request)

    monkeypatch.setattr(world.db, "update_item", refuse)


def tasks(world: World, name: str) -> list[dict[str, Any]]:
    return [task for task in world.sqs.sent if task["task"] == name]


def watermark(world: World) -> int:
    (row,) = (one for one in world.target_table.table.partition("SWEEP") if "read_until" in one)
    return int(row["read_until"])


# --- an account by itself ---


def test_account_that_cannot_be_handled_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    for user in users(4):
        connect(world, user)
    refuse_writes(world, monkeypatch, "user_002")

    world.sweep.run(deadline=world.now + 27)

    assert ready(world) == set(users(4)) - {"user_002"}
    assert watermark(world) == world.now
    assert counted()["AccountSetAside"] == 2
    assert "SweepFailed" not in counted()
    assert tasks(world, "account") == [
        {"task": "account", "account_id": f"ca_user_002_{one}", "user_id": "user_002"}
        for one in (GMAIL, SLACK)
    ]


def test_account_that_was_set_aside_comes_back_until_it_is_a_dead_letter_and_is_sent_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(world, "user_1")
    refuse_writes(world, monkeypatch, "user_1")

    for _ in range(10):
        world.sqs.put({"task": "sweep"})
        assert len(world.work()) == 0 or world.sqs.postponed
        world.now += 60

    assert len(tasks(world, "account")) == 2
    assert [seconds for _, seconds in world.sqs.postponed] == [15, 15]


def test_account_that_was_set_aside_is_read_at_composio_and_handled(world: World) -> None:
    connect(world, "user_1", created=LONG_AGO)
    for auth_config in (GMAIL, SLACK):
        account_id = f"ca_user_1_{auth_config}"
        world.sqs.put({"task": "account", "account_id": account_id, "user_id": "user_1"})

    assert world.work() == []
    assert world.row()["status"] == "ready"


def test_account_that_was_handled_after_all_may_be_set_aside_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(world, "user_1")
    with monkeypatch.context() as broken:
        refuse_writes(world, broken, "user_1")
        world.sweep.run(deadline=world.now + 27)
    world.sqs.messages.clear()
    world.now += 60
    world.sweep.run(deadline=world.now + 27)
    assert world.row()["status"] == "ready"
    for fact in world.upstream.accounts.values():
        fact["updated_at"] = "2026-01-01T00:00:30Z"
        fact["status"] = "ACTIVE"
        fact["is_disabled"] = True
    refuse_writes(world, monkeypatch, "user_1")

    world.now += 60
    world.sweep.run(deadline=world.now + 27)

    assert len(tasks(world, "account")) == 4


def test_failure_that_is_not_one_accounts_ends_the_turn_and_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    before = watermark(world)
    for user in users(50):
        connect(world, user)
    with monkeypatch.context() as broken:
        refuse_writes(world, broken, *users(50))
        world.sweep.run(deadline=world.now + 27)

    assert watermark(world) == before
    assert counted()["SweepFailed"] == 1
    assert len(tasks(world, "account")) < 2 * MOST_FAILING
    minutes(world, 3)
    assert ready(world) == set(users(50))


# --- pages ---


def test_pages_that_repeat_end_the_walk_and_the_newest_are_found_all_the_same(
    world: World, counted: Counted, figured: Figured
) -> None:
    world.upstream.page = 6
    for number, user in enumerate(users(9)):
        connect(world, user, created=world.now - number)
    listed = world.upstream._accounts
    repeating(world, "6")
    before = watermark(world)
    minutes(world, 10)

    asked = [one for one in world.upstream.requests if one.url.path.endswith("/connected_accounts")]
    assert len(asked) == 20
    assert ready(world) == set(users(6))
    assert counted()["PagesRepeat"] == counted()["SweepFailed"] == 10
    assert len(figured("SweepRun")) == 3 + 10
    assert watermark(world) == before
    connect(world, "user_new")
    minutes(world, 1)
    assert "user_new" in ready(world)
    world.upstream._accounts = listed  # type: ignore[method-assign]
    minutes(world, 3)
    assert ready(world) == {*users(9), "user_new"}


def test_back_fill_whose_pages_repeat_rests_and_begins_again(
    world: World, counted: Counted
) -> None:
    world.upstream.page = 2
    for user in users(3):
        connect(world, user, created=LONG_AGO)
    listed = world.upstream._accounts
    repeating(world, "2")
    world.walk_table.request_backfill(TARGET, at=int(world.now))
    minutes(world, 5)
    assert counted()["PagesRepeat"] == 1
    assert len(ready(world)) == 2
    world.upstream._accounts = listed  # type: ignore[method-assign]

    minutes(world, REPEATING_SECONDS // 60)

    assert ready(world) == set(users(3))
    assert list(world.walk_table.walks()) == []


def test_circle_of_pages_is_noticed_over_many_turns(world: World, counted: Counted) -> None:
    world.upstream.page = 2
    for user in users(20):
        connect(world, user, created=LONG_AGO)
    listed = world.upstream._accounts

    def circle(params: httpx.QueryParams) -> httpx.Response:
        world.now += 9  # a turn reads two pages
        answer = listed(params)
        body = answer.json()
        return httpx.Response(200, json=body | {"next_cursor": body["next_cursor"] or "20"})

    world.upstream._accounts = circle  # type: ignore[method-assign]
    backfill(world)

    assert counted()["PagesRepeat"] == 1
    assert len(tasks(world, "backfill")) > 10
    assert ready(world) == set(users(20))


def test_cursor_that_is_not_known_any_more_has_the_walk_begin_again(world: World) -> None:
    world.upstream.page = 2
    for user in users(3):
        connect(world, user, created=LONG_AGO)
    world.walk_table.request_backfill(TARGET, at=int(world.now))
    walk = take_backfill(world, TARGET.sort_key)
    assert walk
    world.walk_table.leave(walk._replace(place=Place("of yesterday", 9)), until=0)
    listed = world.upstream._accounts

    def forget(params: httpx.QueryParams) -> httpx.Response:
        stale = "of" in params.get("cursor", "")
        return refusal(400, "no such cursor") if stale else listed(params)

    world.upstream._accounts = forget  # type: ignore[method-assign]
    minutes(world, 2)

    assert ready(world) == set(users(3))
    assert list(world.walk_table.walks()) == []


def test_cursor_that_is_refused_as_soon_as_it_is_given_is_no_loop(
    world: World, counted: Counted
) -> None:
    world.upstream.page = 2
    for user in users(3):
        connect(world, user, created=LONG_AGO)
    listed = world.upstream._accounts

    def refuse(params: httpx.QueryParams) -> httpx.Response:
        return refusal(400, "no such cursor") if "cursor" in params else listed(params)

    world.upstream._accounts = refuse  # type: ignore[method-assign]
    backfill(world)
    asked = [one for one in world.upstream.requests if one.url.path.endswith("/connected_accounts")]
    assert len(asked) == 2
    assert counted()["SweepFailed"] == 1
    world.upstream._accounts = listed  # type: ignore[method-assign]

    minutes(world, 2)

    assert ready(world) == set(users(3))


@pytest.mark.parametrize("of_recent", [True, False])
def test_account_that_slips_between_two_pages_is_found_by_another_walk(
    world: World, *, of_recent: bool
) -> None:
    """Who was on the first page is gone before the second is read: all others move up by one."""
    world.upstream.page = 2
    world.now += 3600
    for number, user in enumerate(users(4)):
        created = world.now - OVERLAP_SECONDS - 60 - number if of_recent else LONG_AGO - number
        connect(world, user, created=created)
    listed, first = world.upstream._accounts, f"ca_user_000_{GMAIL}"

    def shift(params: httpx.QueryParams) -> httpx.Response:
        answer = listed(params)
        if "cursor" not in params:
            world.upstream.accounts.pop(first, None)
        return answer

    world.upstream._accounts = shift  # type: ignore[method-assign]
    if of_recent:
        minutes(world, 3)
    else:
        backfill(world)

    assert ready(world) == set(users(4))
    assert list(world.walk_table.walks()) == []


def test_walk_over_recent_accounts_is_not_repeated_for_those_of_today(world: World) -> None:
    world.upstream.page = 2
    for minute in range(5):
        connect(world, f"user_{minute}")
        began = world.now
        minutes(world, 1)
        assert watermark(world) == began


def test_page_that_composio_fails_to_give_keeps_nobody_else_from_being_found(
    world: World,
) -> None:
    world.upstream.page = 2
    for user in users(3):
        connect(world, user)
    listed = world.upstream._accounts

    def fail(params: httpx.QueryParams) -> httpx.Response:
        return refusal(500, "this page") if params.get("cursor") == "4" else listed(params)

    world.upstream._accounts = fail  # type: ignore[method-assign]
    minutes(world, 2)
    assert len(ready(world)) == 2
    connect(world, "user_new")
    minutes(world, 1)
    assert "user_new" in ready(world)


def test_account_of_long_ago_at_the_front_of_the_list_hides_nobody(world: World) -> None:
    for user in users(3):
        connect(world, user)
    listed = world.upstream._accounts

    def odd_first(params: httpx.QueryParams) -> httpx.Response:
        body = listed(params).json()
        odd = as_composio_has_it(account(GMAIL, id="ca_odd", user="odd")) | {"created_at": 0}
        return httpx.Response(200, json=body | {"items": [odd, *body["items"]]})

    world.upstream._accounts = odd_first  # type: ignore[method-assign]
    minutes(world, 1)

    assert ready(world) == set(users(3))


# --- turns ---


def test_turn_with_little_time_makes_progress(world: World) -> None:
    for user in users(3):
        connect(world, user, created=LONG_AGO)
    slow(world, 2)
    world.walk_table.request_backfill(TARGET, at=int(world.now))
    world.sqs.put({"task": "backfill", "target": TARGET.sort_key})
    for _ in range(20):
        world.work(seconds=6)  # of which three are kept to settle

    assert ready(world) == set(users(3))


def test_turn_uses_the_time_that_it_has(world: World) -> None:
    for user in users(20):
        connect(world, user)

    world.sweep.recent("", deadline=world.now + 6)

    assert ready(world) == set(users(20))


def test_walk_that_is_handed_on_is_not_sent_again(world: World) -> None:
    world.upstream.page = 2
    for user in users(3):
        connect(world, user, created=LONG_AGO)
    slow(world, 15)
    world.walk_table.request_backfill(TARGET, at=int(world.now))
    world.sweep.backfill(TARGET, deadline=world.now + 27)
    assert [task for task in tasks(world, "backfill") if "token" in task]
    world.sqs.sent.clear()

    world.now += HANDED_ON_SECONDS - 30
    world.sweep.run(deadline=world.now + 27)

    assert tasks(world, "backfill") == []


def test_walk_whose_message_is_lost_is_taken_up_by_the_sweep(world: World) -> None:
    world.upstream.page = 2
    for user in users(4):
        connect(world, user, created=LONG_AGO)
    slow(world, 15)
    world.walk_table.request_backfill(TARGET, at=int(world.now))
    for _ in range(40):
        world.sqs.messages.clear()
        world.sqs.put({"task": "sweep"})
        world.work()
        world.sqs.messages = [one for one in world.sqs.messages if "token" not in one["body"]]
        world.work()
        world.now += 60

    assert ready(world) == set(users(4))


def test_walk_that_fails_in_a_message_is_left_to_the_sweep(world: World, counted: Counted) -> None:
    connect(world, "user_1", created=LONG_AGO)
    world.walk_table.request_backfill(TARGET, at=int(world.now))
    world.upstream.down = True
    world.sqs.put({"task": "backfill", "target": TARGET.sort_key})

    assert world.work() == []
    assert counted()["SweepFailed"] == 1
    world.upstream.down = False
    minutes(world, 1)
    assert world.row()["status"] == "ready"


def test_few_back_fills_go_on_at_once_and_none_is_sent_again_while_it_does() -> None:
    names = [f"srv_{number:02}" for number in range(12)]
    world = World(enrolled=None)
    world.upstream.servers = {one: [GMAIL, SLACK] for one in names}
    connect(world, "user_1", created=LONG_AGO)
    world.sweep.run(deadline=world.now + 27)
    world.now += MEMORY_SECONDS
    world.sqs.sent.clear()

    world.sweep.run(deadline=world.now + 27)
    (first, *_) = sent = tasks(world, "backfill")
    assert len(sent) == MOST_BACKFILLS
    for task in sent:
        take_backfill(world, task["target"], lease=90)
    world.now += 60
    world.sweep.run(deadline=world.now + 27)
    assert tasks(world, "backfill") == sent
    walk = next(one for one in world.walk_table.walks() if first["target"] in one.name)
    world.walk_table.end(walk)
    world.sweep.run(deadline=world.now + 27)
    assert len(tasks(world, "backfill")) == MOST_BACKFILLS + 1

    world.sqs.messages.clear()
    minutes(world, 20)
    assert list(world.walk_table.walks()) == []
    assert world.upstream.instances >= {(one, "user_1") for one in names[1:]}


def test_back_fills_that_fail_each_time_keep_no_other_off() -> None:
    bad = [f"srv_{number}" for number in range(MOST_BACKFILLS)]
    world = World(enrolled=None)
    world.upstream.servers = {one: ["ac_bad"] for one in bad} | {"srv_good": [GMAIL, SLACK]}
    listed = world.upstream._accounts

    def fail(params: httpx.QueryParams) -> httpx.Response:
        of = params.get("auth_config_ids", "")
        return refusal(500, "not these") if "ac_bad" in of else listed(params)

    world.upstream._accounts = fail  # type: ignore[method-assign]
    connect(world, "user_1", created=LONG_AGO)

    minutes(world, 5)

    assert world.row("user_1", "srv_good")["status"] == "ready"
    assert len(list(world.walk_table.walks())) == len(bad)


def test_back_fill_of_a_server_that_is_not_enrolled_is_not_sent(world: World) -> None:
    world.walk_table.request_backfill(TARGET._replace(name="srv_of_others"), at=int(world.now))

    minutes(world, 2)

    assert tasks(world, "backfill") == []


# --- accounts whose user the list does not name ---


def nameless(world: World, *, also_by_id: bool) -> None:
    listed = world.upstream._accounts

    def without(params: httpx.QueryParams) -> httpx.Response:
        body = listed(params).json()
        items = [{k: v for k, v in one.items() if k != "user_id"} for one in body["items"]]
        return httpx.Response(200, json=body | {"items": items})

    world.upstream._accounts = without  # type: ignore[method-assign]
    if also_by_id:
        for one in world.upstream.accounts.values():
            one["user_id"] = None


def test_user_whom_the_list_does_not_name_is_read_by_the_accounts_id(
    world: World, counted: Counted
) -> None:
    for user in users(5):
        connect(world, user)
    nameless(world, also_by_id=False)

    minutes(world, 1)

    assert ready(world) == set(users(5))
    assert "AccountUnnamed" not in counted()


def test_accounts_whose_user_nobody_names_are_told_and_not_asked_for_without_end(
    world: World, figured: Figured
) -> None:
    for user in users(20):
        connect(world, user)
    nameless(world, also_by_id=True)

    minutes(world, 1)

    asked = [one for one in world.upstream.requests if "/connected_accounts/" in one.url.path]
    assert len(asked) == 3
    assert sum(figured("AccountUnnamed")) == 40


def test_unnamed_account_that_no_server_requires_is_nobodys_business(
    world: World, counted: Counted
) -> None:
    fact = as_composio_has_it(account("ac_other")) | {"created_at": world.now, "user_id": None}
    world.upstream.accounts["ca_other"] = fact

    minutes(world, 1)

    assert [one for one in world.upstream.requests if "/connected_accounts/" in one.url.path] == []
    assert "AccountUnnamed" not in counted()
