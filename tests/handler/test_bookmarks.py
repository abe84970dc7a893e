"""What the sweep remembers, and who has it in hand."""

from typing import cast

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from handler.bookmarks import Bookmarks, Shelf
from handler.dynamodb import Store
from handler.instances import Server
from tests.fakes.dynamodb import FakeDynamoDB

SERVER = Server("srv", frozenset({"ac_a", "ac_b"}))


@pytest.fixture
def db() -> FakeDynamoDB:
    return FakeDynamoDB("table")


@pytest.fixture
def bookmarks(db: FakeDynamoDB) -> Bookmarks:
    return Bookmarks(Store(cast("DynamoDBClient", db), "table"))


def test_catalog_is_read_whole_and_as_it_is_now(db: FakeDynamoDB, bookmarks: Bookmarks) -> None:
    servers = {one.id: one for one in (SERVER, Server("gone", frozenset(), gone=True))}
    for server in servers.values():
        bookmarks.store_server(server, backfill_at=0 if server is SERVER else None)
    bookmarks.store_synced(7)

    assert bookmarks.catalog() == Shelf(servers, 7, frozenset({"srv"}))
    assert db.calls[-1][1]["ConsistentRead"]


def test_catalog_spans_pages(db: FakeDynamoDB, bookmarks: Bookmarks) -> None:
    for number in range(40):
        configs = frozenset(f"ac_{number}_{one}_{'x' * 90}" for one in range(300))
        bookmarks.store_server(Server(f"srv_{number}", configs, name="n"))

    shelf = bookmarks.catalog()

    assert (len(shelf.servers), shelf.synced_at) == (40, 0)
    assert [name for name, _ in db.calls].count("Query") > 1


def test_backfill_is_in_one_hand_until_its_lease_ends(bookmarks: Bookmarks) -> None:
    bookmarks.store_server(SERVER, backfill_at=0)

    assert bookmarks.begin_backfill("srv", token="mine", now=100, lease=40) == ""
    assert bookmarks.begin_backfill("srv", token="mine", now=139, lease=40) is None
    assert bookmarks.begin_backfill("srv", token="mine", now=140, lease=40) == ""


def test_backfill_goes_on_where_it_was_left(bookmarks: Bookmarks) -> None:
    bookmarks.store_server(SERVER, backfill_at=0)
    bookmarks.begin_backfill("srv", token="mine", now=100, lease=40)
    bookmarks.leave_backfill("srv", "page 7", token="mine")

    assert bookmarks.begin_backfill("srv", token="mine", now=101, lease=40) == "page 7"
    bookmarks.leave_backfill("srv", None, token="mine")
    assert bookmarks.begin_backfill("srv", token="mine", now=1000, lease=40) is None
    assert bookmarks.catalog().backfills == frozenset()


def test_back_fill_that_began_before_a_change_does_not_end_the_one_that_follows_from_it(
    bookmarks: Bookmarks,
) -> None:
    bookmarks.store_server(Server("srv", frozenset({"ac", "ad"})), backfill_at=0)
    bookmarks.begin_backfill("srv", token="before", now=100, lease=40)
    bookmarks.store_server(Server("srv", frozenset({"ac"})), backfill_at=0)

    bookmarks.leave_backfill("srv", None, token="before")

    assert bookmarks.begin_backfill("srv", token="after", now=100, lease=40) == ""


def test_change_that_needs_no_backfill_leaves_the_one_that_is_due(bookmarks: Bookmarks) -> None:
    bookmarks.store_server(SERVER, backfill_at=0)
    bookmarks.store_server(Server("srv", frozenset({"ac_a", "ac_b", "ac_c"})))

    assert bookmarks.catalog().backfills == {"srv"}


def test_recent_accounts_are_read_by_one_hand_until_its_lease_ends(bookmarks: Bookmarks) -> None:
    assert bookmarks.begin_recent(now=100, start=50, lease=40) == 50
    assert bookmarks.begin_recent(now=139, start=60, lease=40) is None
    bookmarks.keep_recent(now=139, lease=40)
    assert bookmarks.begin_recent(now=178, start=60, lease=40) is None
    assert bookmarks.begin_recent(now=179, start=60, lease=40) == 50


def test_watermark_never_goes_back(bookmarks: Bookmarks) -> None:
    bookmarks.begin_recent(now=100, start=50, lease=40)
    bookmarks.advance(100)
    bookmarks.advance(90)

    assert bookmarks.begin_recent(now=200, start=0, lease=40) == 100
