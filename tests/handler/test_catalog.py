"""The catalog comes from memory, then the table, then Composio."""

from typing import Any

import pytest

from handler.catalog import View
from handler.dynamodb import TooLarge
from handler.targets import Target
from tests.handler.catalog_world import BOTH, MAIL, UNAVAILABLE, CatalogWorld


@pytest.fixture
def world() -> CatalogWorld:
    return CatalogWorld()


def test_view_finds_the_servers_that_require_an_auth_config() -> None:
    view = View((BOTH, MAIL), up_to_date=True)

    assert view.requiring("ac_mail") == (BOTH, MAIL)
    assert view.requiring("ac_chat") == (BOTH,)
    assert view.requiring("ac_other") == ()


def test_server_without_a_url_has_the_documented_one(world: CatalogWorld) -> None:
    world.upstream.servers, world.upstream.urls = {MAIL.id: ["ac_mail"]}, {}
    catalog = world.new_catalog()

    (server,) = catalog.sync(deadline=world.deadline).targets

    assert server.url == "https://composio.invalid/v3/mcp/srv_mail"
    assert world.new_catalog().known().targets == (server,)


def test_toolkits_are_stored_with_the_server_and_asked_for_once(world: CatalogWorld) -> None:
    world.toolkits = {"ac_mail": "gmail", "ac_chat": "slack", "ac_other": "notion"}
    catalog = world.new_catalog()
    both, mail = catalog.sync(deadline=world.deadline).targets

    assert (mail.toolkits, both.toolkits) == (
        {"ac_mail": "gmail"},
        {"ac_mail": "gmail", "ac_chat": "slack"},
    )
    assert world.new_catalog().known().targets == (both, mail)
    world.now += 300
    world.new_catalog().sync(deadline=world.deadline)
    assert world.asked_for_toolkits == 1
    world.upstream.servers[MAIL.id] = ["ac_other"]
    world.now += 300
    assert catalog.sync(deadline=world.deadline).targets[1].toolkits == {"ac_other": "notion"}
    assert world.asked_for_toolkits == 2
    assert catalog.toolkits() == world.toolkits


def test_toolkit_that_composio_does_not_list_is_asked_for_once(world: CatalogWorld) -> None:
    world.toolkits = {"ac_mail": "gmail"}
    catalog = world.new_catalog(BOTH.id)
    for _ in range(3):
        (both,) = catalog.sync(deadline=world.deadline).targets
        world.now += 60

    assert both.toolkits == {"ac_mail": "gmail"}
    assert world.asked_for_toolkits == 1


def test_servers_are_known_although_their_toolkits_cannot_be_read(world: CatalogWorld) -> None:
    world.odd = dict.fromkeys({"auth_configs"}, UNAVAILABLE)
    world.toolkits = {"ac_mail": "gmail"}
    catalog = world.new_catalog(MAIL.id)

    assert catalog.sync(deadline=world.deadline) == View((MAIL,), up_to_date=True)
    world.odd.clear()
    world.now += 300
    (mail,) = catalog.sync(deadline=world.deadline).targets
    assert mail.toolkits == {"ac_mail": "gmail"}


def test_catalog_is_empty_and_not_up_to_date_at_first(world: CatalogWorld) -> None:
    assert world.new_catalog().known() == View((), up_to_date=False)
    assert world.new_catalog(MAIL.id).known() == View((), up_to_date=False)
    assert world.asked == []


@pytest.mark.parametrize(
    ("ids", "asked"), [([MAIL.id, BOTH.id], [BOTH.id, MAIL.id]), ([], ["servers"])]
)
def test_servers_are_read_at_composio_and_the_next_environment_has_them(
    world: CatalogWorld, ids: list[str], asked: list[str]
) -> None:
    catalog, everything = world.new_catalog(*ids), View((BOTH, MAIL), up_to_date=True)

    assert catalog.sync(deadline=world.deadline) == everything
    assert catalog.known() == everything
    assert world.new_catalog(*ids).known() == everything
    assert world.asked == asked


def test_server_that_is_not_enrolled_is_left_alone(world: CatalogWorld) -> None:
    world.new_catalog().sync(deadline=world.deadline)

    assert world.new_catalog(MAIL.id).known() == View((MAIL,), up_to_date=True)


def test_table_is_read_once_a_minute(world: CatalogWorld) -> None:
    catalog = world.new_catalog()
    catalog.known()
    world.catalog_table.store_server(MAIL)
    world.catalog_table.store_synced(int(world.now))
    world.trips()

    world.now += 59
    assert catalog.known().targets == ()
    assert world.trips()[0] == []
    world.now += 1
    assert catalog.known() == View((MAIL,), up_to_date=True)
    catalog.known()
    assert world.trips()[0] == ["Query"]


@pytest.mark.parametrize(("seconds", "fresh"), [(899, True), (900, False)])
def test_catalog_is_up_to_date_for_a_quarter_of_an_hour(
    world: CatalogWorld, seconds: float, *, fresh: bool
) -> None:
    world.new_catalog().sync(deadline=world.deadline)
    world.now += seconds

    assert world.new_catalog().known() == View((BOTH, MAIL), up_to_date=fresh)


def test_catalog_without_an_enrolled_server_is_not_up_to_date(world: CatalogWorld) -> None:
    world.new_catalog(MAIL.id).sync(deadline=world.deadline)

    assert world.new_catalog(MAIL.id, BOTH.id).known() == View((MAIL,), up_to_date=False)


def test_server_that_cannot_be_stored_does_not_stop_the_others(
    world: CatalogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = world.catalog_table.store_server

    def full(server: Target, **given: Any) -> None:
        if server == BOTH:
            raise TooLarge
        store(server, **given)

    monkeypatch.setattr(world.catalog_table, "store_server", full)
    catalog = world.new_catalog(MAIL.id, BOTH.id)

    with pytest.raises(TooLarge):
        catalog.refresh(deadline=world.deadline)
    assert catalog.known().targets == (MAIL,)
