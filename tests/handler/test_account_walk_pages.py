"""Pages of a list that repeat, move, or cannot be read."""

import httpx
import pytest

from handler.paging import Place
from handler.sweep import OVERLAP_SECONDS, REPEATING_SECONDS
from tests.doubles import Counted, Figured, refusal
from tests.handler.walks import backfill, connect_long_ago, take_backfill, users, watermark
from tests.world import GMAIL, TARGET, World, account, as_composio_has_it, swept_world


@pytest.fixture
def world() -> World:
    return swept_world()


def repeat_page(world: World, cursor: str) -> None:
    """Let the page of the cursor name itself as the next one."""

    def repeat(params: httpx.QueryParams, listed: httpx.Response) -> httpx.Response:
        if params.get("cursor") != cursor:
            return listed
        return httpx.Response(200, json=listed.json() | {"next_cursor": cursor})

    world.upstream.on_list = repeat


def pages_asked_for(world: World) -> int:
    return sum(one.url.path.endswith("/connected_accounts") for one in world.upstream.requests)


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
