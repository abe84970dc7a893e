"""When the catalog is read at Composio, and what a failed reading costs."""

import httpx
import pytest

from handler.catalog import SYNC_SECONDS, View
from handler.targets import Kind, TargetId
from tests.doubles import Counted, Log
from tests.handler.catalog_world import BOTH, MAIL, UNAVAILABLE, CatalogWorld


@pytest.fixture
def world() -> CatalogWorld:
    return CatalogWorld()


def test_server_is_read_every_five_minutes(world: CatalogWorld) -> None:
    catalog = world.new_catalog(MAIL.id)
    catalog.sync(deadline=world.deadline)
    changed = MAIL._replace(required=frozenset({"ac_chat"}))
    world.upstream.servers[MAIL.id] = ["ac_chat"]

    world.now += 299
    assert catalog.sync(deadline=world.deadline).targets == (MAIL,)
    world.now += 1
    assert catalog.sync(deadline=world.deadline).targets == (changed,)
    assert world.asked == [MAIL.id, MAIL.id]


def test_only_servers_that_have_changed_are_written(world: CatalogWorld) -> None:
    catalog = world.new_catalog()
    catalog.sync(deadline=world.deadline)
    assert world.trips()[0] == ["Query", *["UpdateItem"] * 5]  # each with its back-fill

    changed = BOTH._replace(required=frozenset({"ac_chat"}))
    world.upstream.servers[BOTH.id] = ["ac_chat"]
    world.now += 300
    assert catalog.sync(deadline=world.deadline) == View((changed, MAIL), up_to_date=True)

    assert world.trips()[0] == ["Query", *["UpdateItem"] * 3]
    assert world.new_catalog().known() == View((changed, MAIL), up_to_date=True)


def test_unavailable_server_stays_as_it_was(
    world: CatalogWorld, log: Log, counted: Counted
) -> None:
    world.new_catalog(MAIL.id, BOTH.id).sync(deadline=world.deadline)
    world.now += 900
    changed = BOTH._replace(required=frozenset({"ac_chat"}))
    world.upstream.servers[BOTH.id] = ["ac_chat"]
    world.odd = dict.fromkeys({MAIL.id}, UNAVAILABLE)
    catalog = world.new_catalog(MAIL.id, BOTH.id)

    assert catalog.sync(deadline=world.deadline) == View((changed, MAIL), up_to_date=False)

    assert world.new_catalog(MAIL.id, BOTH.id).known() == View((changed, MAIL), up_to_date=False)
    assert counted() == {"CatalogUnavailable": 1}
    assert [(line["level"], line["problem"]) for line in log.lines] == [
        ("WARNING", {"status": 503})
    ]


def test_failed_read_is_not_repeated_within_a_minute(world: CatalogWorld) -> None:
    world.odd = dict.fromkeys({"servers"}, UNAVAILABLE)
    catalog = world.new_catalog()

    assert catalog.sync(deadline=world.deadline) == View((), up_to_date=False)
    world.odd.clear()
    world.now += 59
    assert catalog.sync(deadline=world.deadline) == View((), up_to_date=False)
    world.now += 1
    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)
    assert world.asked == ["servers", "servers"]


def test_without_time_composio_is_not_asked(world: CatalogWorld) -> None:
    assert not world.new_catalog().sync(deadline=world.now).up_to_date
    assert world.asked == []


def test_many_slow_servers_are_all_read_in_turns(world: CatalogWorld) -> None:
    many = {f"srv_{number:03}": ["ac_mail"] for number in range(22)}
    world.upstream.servers, world.seconds = many, 1.25
    catalog = world.new_catalog(*many)

    for _ in range(5):
        began = world.now
        catalog.refresh(deadline=began + 9)
        assert world.now - began <= 10
        world.now += 60 - (world.now - began)

    assert sorted(world.asked) == sorted(many)
    assert catalog.known().up_to_date
    for _ in range(15):
        catalog.refresh(deadline=world.now + 9)
        assert catalog.known().up_to_date
        world.now += 50


def test_servers_that_hang_do_not_keep_the_others_from_being_read(world: CatalogWorld) -> None:
    hanging = {f"srv_{number}" for number in range(5)}
    names = {*hanging, *(f"srv_{number}" for number in range(5, 15))}
    world.upstream.servers = {one: ["ac_mail"] for one in names}
    catalog = world.new_catalog(*names)
    catalog.refresh(deadline=world.deadline)
    world.hanging, world.seconds = hanging, 0.5

    for _ in range(20):
        began = world.now
        catalog.refresh(deadline=began + 9)
        world.now += 60 - (world.now - began)

    known = world.catalog_table.catalog().servers
    assert all(world.now - known[one].read_at < 900 for one in names - hanging)
    assert all(world.now - known[one].read_at > 900 for one in hanging)


@pytest.mark.parametrize("status", [429, 503])
def test_outage_costs_one_call_a_minute(world: CatalogWorld, counted: Counted, status: int) -> None:
    world.odd = dict.fromkeys({MAIL.id, BOTH.id}, httpx.Response(status))
    catalog = world.new_catalog(MAIL.id, BOTH.id)

    for _ in range(4):
        catalog.sync(deadline=world.deadline)
        world.now += 60

    assert world.asked == [BOTH.id, MAIL.id] * 2
    assert counted()["CatalogUnavailable"] == 4


def test_back_fill_says_which_reading_it_follows(world: CatalogWorld) -> None:
    world.new_catalog(MAIL.id).refresh(deadline=world.deadline)

    assert [walk.changed_at for walk in world.walk_table.walks()] == [int(world.now)]


def test_target_is_read_without_the_other_servers(world: CatalogWorld) -> None:
    world.seconds = 3
    catalog = world.new_catalog(MAIL.id, BOTH.id)

    assert catalog.target(MAIL.key, deadline=world.deadline) == MAIL
    assert world.asked == [MAIL.id]
    assert catalog.target(TargetId(Kind.INSTANCE, "srv_of_others"), deadline=world.deadline).gone
    assert world.asked == [MAIL.id]


def test_sync_gives_up_on_a_slow_composio_after_a_few_seconds(world: CatalogWorld) -> None:
    world.hanging = {MAIL.id, BOTH.id}
    began = world.now

    world.new_catalog(MAIL.id, BOTH.id).sync(deadline=world.now + 22)

    assert world.now - began <= SYNC_SECONDS
