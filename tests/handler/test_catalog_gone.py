"""MCP servers that are gone, or not enrolled any more."""

import httpx
import pytest

from handler.catalog import View
from handler.targets import Target
from handler.walk_table import BACKFILL
from tests.doubles import Counted, Log
from tests.handler.catalog_world import BOTH, MAIL, UNAVAILABLE, CatalogWorld


def shown(server: Target) -> dict[str, object]:
    """Return the server as Composio shows it."""
    auth_configs = sorted(server.required)
    return {"id": server.id, "name": "demo", "auth_config_ids": auth_configs, "mcp_url": server.url}


@pytest.fixture
def world() -> CatalogWorld:
    return CatalogWorld()


def test_enrolled_server_that_does_not_exist_is_logged_and_left_out(
    world: CatalogWorld, log: Log, counted: Counted
) -> None:
    catalog = world.new_catalog("srv_typo", MAIL.id)

    assert catalog.sync(deadline=world.deadline) == View((MAIL,), up_to_date=False)
    assert log.lines == []
    world.now += 60
    assert catalog.sync(deadline=world.deadline) == View((MAIL,), up_to_date=True)

    assert world.asked == [MAIL.id, "srv_typo", "srv_typo"]
    assert world.new_catalog("srv_typo", MAIL.id).known() == View((MAIL,), up_to_date=True)
    assert [(line["level"], line["server_id"]) for line in log.lines] == [("ERROR", "srv_typo")]
    assert counted() == {}


def test_deleted_server_is_left_out_until_it_is_back(world: CatalogWorld) -> None:
    catalog = world.new_catalog()
    catalog.sync(deadline=world.deadline)

    gone = world.upstream.servers.pop(BOTH.id)
    world.now += 300
    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)
    world.now += 60
    assert catalog.sync(deadline=world.deadline) == View((MAIL,), up_to_date=True)
    assert world.new_catalog().known() == View((MAIL,), up_to_date=True)
    world.upstream.servers[BOTH.id] = gone
    world.now += 300
    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)
    assert world.new_catalog().known() == View((BOTH, MAIL), up_to_date=True)


@pytest.mark.parametrize("ids", [(), (MAIL.id, BOTH.id)])
def test_unreadable_server_does_not_stop_the_others_and_is_logged(
    world: CatalogWorld, ids: tuple[str, ...], log: Log, counted: Counted
) -> None:
    odd = shown(BOTH) | {"auth_config_ids": None}
    world.odd = {
        BOTH.id: httpx.Response(200, json=odd),
        "servers": httpx.Response(200, json={"items": [{"name": "of no id"}, odd, shown(MAIL)]}),
    }
    catalog = world.new_catalog(*ids)

    assert catalog.sync(deadline=world.deadline).targets == (MAIL,)
    assert counted()["ItemUnreadable"] == (1 if ids else 2)
    assert {line["level"] for line in log.lines} == {"WARNING"}
    world.odd.clear()
    world.now += 300
    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, content=b"<html>"),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"items": None}),
        httpx.Response(200, json={"items": []}),
        httpx.Response(404, json={"error": {"message": "not found"}}),
        httpx.Response(200, json=shown(BOTH) | {"deleted": True}),
    ],
)
@pytest.mark.parametrize("ids", [(), (MAIL.id, BOTH.id)])
def test_no_server_is_gone_for_one_odd_answer(
    world: CatalogWorld, ids: tuple[str, ...], answer: httpx.Response
) -> None:
    catalog = world.new_catalog(*ids)
    catalog.sync(deadline=world.deadline)
    world.odd = {MAIL.id: answer, BOTH.id: answer, "servers": answer}

    world.now += 300
    assert catalog.sync(deadline=world.deadline).targets == (BOTH, MAIL)
    world.odd.clear()
    world.now += 60
    catalog.sync(deadline=world.deadline)
    world.now += 300

    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)
    assert catalog.target(BOTH.key, deadline=world.deadline) == BOTH


@pytest.mark.parametrize("by_id", [httpx.Response(200, json=shown(BOTH)), UNAVAILABLE])
def test_server_that_a_list_lacks_stays_unless_composio_does_not_know_it(
    world: CatalogWorld, by_id: httpx.Response
) -> None:
    catalog = world.new_catalog()
    catalog.sync(deadline=world.deadline)
    short = httpx.Response(200, json={"items": [shown(MAIL)]})
    world.odd = {"servers": short, BOTH.id: by_id}

    for _ in range(10):
        world.now += 300
        assert catalog.sync(deadline=world.deadline).targets == (BOTH, MAIL)


def test_server_that_is_enrolled_again_is_back_filled(world: CatalogWorld) -> None:
    world.new_catalog(MAIL.id, BOTH.id).refresh(deadline=world.deadline)
    world.now += 120
    for key in (MAIL.key, BOTH.key):
        walk = world.walk_table.take(
            BACKFILL + key.sort_key, token="t", mine="", now=int(world.now), lease=9
        )
        assert walk
        world.walk_table.end(walk)
    world.new_catalog(MAIL.id).refresh(deadline=world.deadline)
    assert world.backfills == set()

    again = world.new_catalog(MAIL.id, BOTH.id)
    again.refresh(deadline=world.deadline)

    assert world.backfills == {f"BACKFILL#INSTANCE#{BOTH.id}"}
    assert not world.catalog_table.catalog().servers[BOTH.id].left


def test_server_that_is_no_longer_enrolled_is_marked_once(world: CatalogWorld) -> None:
    world.new_catalog(MAIL.id, BOTH.id).refresh(deadline=world.deadline)
    without = world.new_catalog(MAIL.id)
    without.refresh(deadline=world.deadline)
    world.trips()

    for _ in range(3):
        world.now += 60
        without.refresh(deadline=world.deadline)

    assert world.trips()[0] == ["Query"] * 3


def test_server_that_was_not_enrolled_is_back_filled_when_all_are(world: CatalogWorld) -> None:
    world.new_catalog(MAIL.id, BOTH.id).refresh(deadline=world.deadline)
    world.new_catalog(MAIL.id).refresh(deadline=world.deadline)
    every = world.new_catalog()
    assert every.known().targets == (MAIL,)

    every.refresh(deadline=world.deadline)

    assert every.known() == View((BOTH, MAIL), up_to_date=True)
    assert f"BACKFILL#INSTANCE#{BOTH.id}" in world.backfills
