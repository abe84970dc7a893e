"""What the sweep remembers, and who has it in hand."""

import pytest

from handler.catalog_table import CatalogTable
from handler.dynamodb import Table
from handler.readings import Known, StoredCatalog
from handler.values import Target
from tests.fakes.dynamodb import FakeDynamoDB

SERVER = Target("srv", frozenset({"ac_a", "ac_b"}))


@pytest.fixture
def catalog_table(empty_table: Table) -> CatalogTable:
    return CatalogTable(empty_table)


def test_catalog_is_read_whole_and_as_it_is_now(
    catalog_table: CatalogTable,
) -> None:
    servers = {one.id: one for one in (SERVER, Target("gone", frozenset(), gone=True))}
    for server in servers.values():
        catalog_table.store_server(server, backfill_at=0 if server is SERVER else None)
    catalog_table.store_synced(7)
    asked = Known(servers["gone"], read_at=5, tried_at=8, absent_since=6, left=True)
    catalog_table.mark("gone", asked)
    catalog_table.mark("never read", Known(tried_at=9))

    known = {"srv": Known(SERVER), "gone": asked, "never read": Known(tried_at=9)}
    assert catalog_table.catalog() == StoredCatalog(known, 7, frozenset({"srv"}))
    client: object = catalog_table.table.client
    if isinstance(client, FakeDynamoDB):
        assert client.calls[-1][1]["ConsistentRead"]


def test_reading_that_says_something_for_certain_ends_every_doubt(
    catalog_table: CatalogTable,
) -> None:
    catalog_table.mark("srv", Known(SERVER, read_at=5, tried_at=8, absent_since=6, left=True))

    catalog_table.store_server(SERVER, read_at=9)

    assert catalog_table.catalog().servers == {"srv": Known(SERVER, read_at=9)}


def test_catalog_spans_pages(catalog_table: CatalogTable) -> None:
    for number in range(40):
        configs = frozenset(f"ac_{number}_{one}_{'x' * 90}" for one in range(300))
        catalog_table.store_server(Target(f"srv_{number}", configs, name="n"))

    shelf = catalog_table.catalog()

    assert (len(shelf.servers), shelf.synced_at) == (40, 0)
    client: object = catalog_table.table.client
    if isinstance(client, FakeDynamoDB):
        assert [name for name, _ in client.calls].count("Query") > 1


def test_backfill_is_in_one_hand_until_its_lease_ends(catalog_table: CatalogTable) -> None:
    catalog_table.store_server(SERVER, backfill_at=0)

    assert catalog_table.begin_backfill("srv", token="mine", now=100, lease=40) == ""
    assert catalog_table.begin_backfill("srv", token="mine", now=139, lease=40) is None
    assert catalog_table.begin_backfill("srv", token="mine", now=140, lease=40) == ""


def test_backfill_goes_on_where_it_was_left(catalog_table: CatalogTable) -> None:
    catalog_table.store_server(SERVER, backfill_at=0)
    catalog_table.begin_backfill("srv", token="mine", now=100, lease=40)
    catalog_table.leave_backfill("srv", "page 7", token="mine")

    assert catalog_table.begin_backfill("srv", token="mine", now=101, lease=40) == "page 7"
    catalog_table.leave_backfill("srv", None, token="mine")
    assert catalog_table.begin_backfill("srv", token="mine", now=1000, lease=40) is None
    assert catalog_table.catalog().backfills == frozenset()


def test_back_fill_that_began_before_a_change_does_not_end_the_one_that_follows_from_it(
    catalog_table: CatalogTable,
) -> None:
    catalog_table.store_server(Target("srv", frozenset({"ac", "ad"})), backfill_at=0)
    catalog_table.begin_backfill("srv", token="before", now=100, lease=40)
    catalog_table.store_server(Target("srv", frozenset({"ac"})), backfill_at=0)

    catalog_table.leave_backfill("srv", None, token="before")

    assert catalog_table.begin_backfill("srv", token="after", now=100, lease=40) == ""


def test_change_that_needs_no_backfill_leaves_the_one_that_is_due(
    catalog_table: CatalogTable,
) -> None:
    catalog_table.store_server(SERVER, backfill_at=0)
    catalog_table.store_server(Target("srv", frozenset({"ac_a", "ac_b", "ac_c"})))

    assert catalog_table.catalog().backfills == {"srv"}


def test_recent_accounts_are_read_by_one_hand_until_its_lease_ends(
    catalog_table: CatalogTable,
) -> None:
    assert catalog_table.begin_recent(now=100, start=50, lease=40) == 50
    assert catalog_table.begin_recent(now=139, start=60, lease=40) is None
    catalog_table.keep_recent(now=139, lease=40)
    assert catalog_table.begin_recent(now=178, start=60, lease=40) is None
    assert catalog_table.begin_recent(now=179, start=60, lease=40) == 50


def test_watermark_never_goes_back(catalog_table: CatalogTable) -> None:
    catalog_table.begin_recent(now=100, start=50, lease=40)
    catalog_table.advance(100)
    catalog_table.advance(90)

    assert catalog_table.begin_recent(now=200, start=0, lease=40) == 100
