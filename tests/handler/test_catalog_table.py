"""The stored catalog: the MCP servers, and when each was read at Composio."""

from typing import Any

import pytest

from handler.catalog_table import CatalogTable
from handler.dynamodb import Table, to_item
from handler.stored_catalog import Known, StoredCatalog
from handler.targets import Target, session_profile
from handler.walk_table import WalkTable
from tests.doubles import Counted
from tests.fakes.dynamodb import FakeDynamoDB

SERVER = Target("srv", frozenset({"ac_a", "ac_b"}))


@pytest.fixture
def catalog_table(empty_table: Table) -> CatalogTable:
    return CatalogTable(empty_table, WalkTable(empty_table))


def test_catalog_is_read_whole_and_consistently(
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
    assert catalog_table.catalog() == StoredCatalog(known, 7)
    client: object = catalog_table.table.client
    if isinstance(client, FakeDynamoDB):
        assert client.calls[-1][1]["ConsistentRead"]


def test_stored_server_replaces_every_mark(
    catalog_table: CatalogTable,
) -> None:
    catalog_table.mark("srv", Known(SERVER, read_at=5, tried_at=8, absent_since=6, left=True))

    catalog_table.store_server(SERVER, read_at=9)

    assert catalog_table.catalog().servers == {"srv": Known(SERVER, read_at=9)}


def test_catalog_spans_pages(catalog_table: CatalogTable) -> None:
    for number in range(5):
        configs = frozenset(f"ac_{one}_{'x' * 3000}" for one in range(100))
        catalog_table.store_server(Target(f"srv_{number}", configs, name="n"))

    catalog = catalog_table.catalog()

    assert (len(catalog.servers), catalog.synced_at) == (5, 0)
    client: object = catalog_table.table.client
    if isinstance(client, FakeDynamoDB):
        assert [name for name, _ in client.calls].count("Query") > 1


def test_change_requests_a_back_fill_and_another_leaves_it_alone(
    catalog_table: CatalogTable,
) -> None:
    catalog_table.store_server(SERVER, backfill_at=70)
    catalog_table.store_server(Target("srv", frozenset({"ac_a", "ac_b", "ac_c"})))

    (walk,) = catalog_table.walk_table.walks()
    assert (walk.name, walk.begun_at, walk.lease_until) == ("BACKFILL#INSTANCE#srv", 70, 70)


def test_change_is_never_stored_without_its_back_fill(
    catalog_table: CatalogTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(catalog_table.walk_table, "request_backfill", throttled)

    with pytest.raises(RuntimeError):
        catalog_table.store_server(SERVER, backfill_at=70)
    assert catalog_table.catalog().servers == {}


@pytest.mark.parametrize(
    "broken",
    [
        {"sk": "SERVER#other", "required": ["ac_a"]},
        {"sk": "PROFILE#other", "toolkits": {"ac_a": "gmail"}},
        {"sk": "PROFILE#other", "toolkits": {"ac_a": "gmail"}, "create": "{"},
        {"sk": "SYNCED"},
    ],
)
def test_row_that_cannot_be_read_stops_no_other(
    catalog_table: CatalogTable, broken: dict[str, Any], counted: Counted
) -> None:
    profile = session_profile("work", {"ac_a": "gmail"}, {})
    catalog_table.store_server(SERVER)
    catalog_table.store_profile(profile, backfill_at=0)
    row = to_item({"pk": "CATALOG", **broken})
    catalog_table.table.client.put_item(TableName=catalog_table.table.name, Item=row)

    assert catalog_table.catalog() == StoredCatalog({"srv": Known(SERVER)}, 0, (profile,))
    assert counted() == {"CatalogUnavailable": 1}
