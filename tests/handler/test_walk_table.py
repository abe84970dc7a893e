"""A walk belongs to one invocation at a time, and goes on where it was left."""

import pytest

from handler.dynamodb import Table
from handler.paging import Place
from handler.walk_table import BACKFILL, RECENT, Walk, WalkTable
from tests.world import TARGET

PLACE = Place("c7", 7, "c4", "digest")


@pytest.fixture
def table(empty_table: Table) -> WalkTable:
    return WalkTable(empty_table)


def recent(table: WalkTable, now: int, token: str = "t", mine: str = "") -> Walk | None:
    begin = {"cursor": "", "begun_at": now, "read_until": 50}
    return table.take(RECENT, token=token, mine=mine, now=now, lease=40, begin=begin)


def backfill(table: WalkTable, now: int, token: str = "t", mine: str = "") -> Walk | None:
    return table.take(BACKFILL + TARGET.sort_key, token=token, mine=mine, now=now, lease=40)


def test_walk_over_recent_accounts_begins_at_the_first_page(table: WalkTable) -> None:
    walk = recent(table, 100)

    assert walk == Walk("WATERMARK", 100, "t", 140, read_until=50)
    assert list(table.walks()) == [walk]


def test_walk_cannot_be_taken_again_until_its_lease_ends(table: WalkTable) -> None:
    recent(table, 100)

    assert recent(table, 139, "u") is None
    taken = recent(table, 140, "u")
    assert taken
    assert (taken.begun_at, taken.token) == (100, "u")


def test_walk_goes_on_where_it_was_left(table: WalkTable) -> None:
    walk = recent(table, 100)
    assert walk
    left = walk._replace(place=PLACE, news=3, emptied=1, set_aside=("ca_1", "ca_2"))

    table.leave(left, until=120)

    assert recent(table, 119, "u") is None
    assert recent(table, 120, "u") == left._replace(token="u", lease_until=160)


def test_walk_that_is_handed_on_is_taken_with_its_token(table: WalkTable) -> None:
    walk = recent(table, 100)
    assert walk
    table.leave(walk, until=280)

    assert recent(table, 101, "u", mine="another") is None
    assert recent(table, 101, "v", mine="t")
    assert recent(table, 102, "w", mine="t") is None


def test_walk_that_another_has_taken_is_neither_left_nor_ended(table: WalkTable) -> None:
    lost = recent(table, 100)
    assert lost
    walk = recent(table, 140, "u")

    table.leave(lost._replace(place=PLACE), until=0)
    table.end(lost._replace(read_until=100))

    assert list(table.walks()) == [walk]


def test_ended_walk_keeps_the_watermark_and_the_accounts_set_aside(table: WalkTable) -> None:
    walk = recent(table, 100)
    assert walk
    table.leave(walk._replace(place=PLACE, news=3), until=100)
    walk = recent(table, 101)
    assert walk

    table.end(walk._replace(read_until=100, emptied=1, set_aside=("ca_1",)))

    assert list(table.walks()) == []
    again = Walk("WATERMARK", 200, "u", 240, emptied=1, set_aside=("ca_1",), read_until=100)
    assert recent(table, 200, "u") == again


def test_back_fill_can_be_taken_once_it_is_requested_and_due(table: WalkTable) -> None:
    assert backfill(table, 100) is None

    table.request_backfill(TARGET, at=160)

    assert backfill(table, 159) is None
    assert backfill(table, 160) == Walk("BACKFILL#INSTANCE#srv_demo", 160, "t", 200)


def test_ended_back_fill_is_deleted(table: WalkTable) -> None:
    table.request_backfill(TARGET, at=100)
    walk = backfill(table, 100)
    assert walk

    table.end(walk)

    assert backfill(table, 1000) is None
    assert list(table.walks()) == []


def test_new_request_takes_the_back_fill_from_the_invocation_that_has_it(table: WalkTable) -> None:
    table.request_backfill(TARGET, at=100)
    before = backfill(table, 100, "before")
    assert before
    table.leave(before._replace(emptied=1), until=140)
    table.request_backfill(TARGET, at=110)

    table.leave(before._replace(place=PLACE), until=0)
    table.end(before)

    assert backfill(table, 109, "after", mine="before") is None
    assert backfill(table, 110, "after") == Walk("BACKFILL#INSTANCE#srv_demo", 110, "after", 150)
