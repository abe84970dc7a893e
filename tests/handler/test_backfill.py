"""A target that is new or has changed: its users are back-filled."""

import httpx
import pytest

from handler.catalog import MEMORY_SECONDS
from handler.targets import Target
from tests.doubles import Killed, die
from tests.world import (
    GMAIL,
    NOW,
    SERVER,
    SLACK,
    TARGET,
    World,
    account,
    as_composio_has_it,
    swept_world,
)

LONG_AGO = NOW - 10**6


@pytest.fixture
def world() -> World:
    return swept_world()


def tick_with_an_empty_list(world: World) -> None:
    world.upstream.on_list = lambda *_: httpx.Response(200, json={"items": []})
    world.minutes(1)
    world.upstream.on_list = None


def test_back_fill_does_not_end_with_one_empty_list(world: World) -> None:
    world.connect("user_1", GMAIL, created=LONG_AGO)
    world.upstream.servers[SERVER] = [GMAIL]
    world.now += 600
    world.tick()
    world.now += MEMORY_SECONDS

    tick_with_an_empty_list(world)
    assert [one.name for one in world.walk_table.walks()] == [f"BACKFILL#{TARGET.sort_key}"]
    world.tick()

    assert world.row()["status"] == "ready"
    assert list(world.walk_table.walks()) == []


def test_new_server_has_its_users_back_filled_page_by_page() -> None:
    world = World(enrolled=None)
    world.tick()
    world.upstream.page = 3
    users = [f"user_{number}" for number in range(10)]
    for user in users:
        world.connect(user, created=LONG_AGO)
    world.upstream.servers["srv_new"] = [SLACK]
    world.now += 600

    world.tick()
    world.now += MEMORY_SECONDS
    world.tick()

    assert {user for server, user in world.upstream.instances if server == "srv_new"} == set(users)
    assert list(world.walk_table.walks()) == []


def test_server_that_requires_less_is_created_for_those_who_waited(world: World) -> None:
    world.see(account(GMAIL))
    world.connect("user_1", GMAIL, created=LONG_AGO)
    world.upstream.servers[SERVER] = [GMAIL]
    world.now += 600

    world.tick()
    world.now += MEMORY_SECONDS
    world.tick()

    assert world.row()["status"] == "ready"


def test_back_fill_of_a_server_that_requires_nothing_lists_no_accounts(world: World) -> None:
    world.upstream.servers[SERVER] = []
    world.upstream.accounts["ca_gmail"] = as_composio_has_it(account(GMAIL))
    world.now += 300
    world.tick()
    world.upstream.requests.clear()
    world.now += 60
    world.tick()

    assert {"task": "backfill", "target": TARGET.sort_key} in world.sqs.sent
    assert list(world.walk_table.walks()) == []
    # Only the sweep itself lists recent accounts, of every auth config.
    listed = [one for one in world.upstream.requests if "connected_accounts" in one.url.path]
    assert len(listed) == 1


def test_back_fill_that_was_killed_is_finished(world: World) -> None:
    for number in range(10):
        world.connect(f"user_{number}", created=LONG_AGO)
    world.walk_table.request_backfill(TARGET, at=0)
    world.upstream.page = 2

    world.upstream.script.append(die)
    with pytest.raises(Killed):
        world.sweep.backfill(TARGET, deadline=world.now + 20)
    world.start()
    world.now += 60
    world.minutes(2)

    assert len(world.ready) == 10


def test_event_ignored_for_an_outdated_catalog_is_found_by_the_back_fill(world: World) -> None:
    world.connect("user_1", GMAIL)
    world.tick()
    world.now += 400
    remembering = world.provisioning
    world.see(account(GMAIL, user="another"))
    world.start()
    world.upstream.servers[SERVER] = [GMAIL, "ac_notion"]
    world.tick()

    world.now += MEMORY_SECONDS - 1
    back = account("ac_notion", id="ca_old")
    seen = remembering.handle_fact(back, deadline=world.now + 22)
    world.upstream.accounts["ca_old"] = as_composio_has_it(back) | {"created_at": NOW - 9000}
    world.minutes(3)

    assert seen.ignored
    assert world.row()["status"] == "ready"


def test_back_fill_waits_for_the_change_that_asked_for_it(world: World) -> None:
    world.see(account(GMAIL))
    world.connect("user_1", GMAIL, created=LONG_AGO)
    now = int(world.now)
    world.walk_table.request_backfill(TARGET, at=now, changed_at=now)
    world.sweep.backfill(TARGET, deadline=now + 20)
    world.catalog_table.store_server(Target(SERVER, frozenset({GMAIL})), read_at=now)
    world.tick()

    assert world.row()["status"] == "ready"


def test_back_fill_that_an_operator_requests_uses_the_newest_catalog(world: World) -> None:
    world.connect("user_1", "ac_notion", created=NOW - 9000)
    world.catalog.known()
    new = Target(SERVER, frozenset({"ac_notion"}))
    world.upstream.servers[SERVER] = ["ac_notion"]
    world.catalog_table.store_server(new, backfill_at=0)

    world.sqs.put({"task": "backfill", "target": TARGET.sort_key})
    world.work()

    assert world.row()["status"] == "ready"
