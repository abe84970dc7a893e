"""The sweep catches up: instances that are due, accounts without an event, new servers."""

from typing import Any
from unittest.mock import Mock

import httpx
import pytest

from handler.catalog import MEMORY_SECONDS
from handler.decisions import LEASE_SECONDS
from handler.dynamodb import from_item
from handler.sweep import OVERLAP_SECONDS
from handler.walk_table import RECENT
from tests.world import GMAIL, NOW, SLACK, World, swept_world


@pytest.fixture
def world() -> World:
    return swept_world()


def test_account_without_an_event_is_found_although_it_turns_active_late(world: World) -> None:
    world.connect("user_1", GMAIL)
    world.minutes(9)
    world.connect("user_1", SLACK, created=world.now - 600)

    world.tick()

    assert world.row()["status"] == "ready"


def test_known_account_costs_no_write(world: World) -> None:
    world.connect()
    world.connect("user_2", GMAIL)
    world.tick()
    world.now += 60
    world.trips()

    world.tick()

    written = [call["Key"]["pk"]["S"] for name, call in world.db.calls if name == "UpdateItem"]
    assert [key for key in written if key.startswith("USER")] == []


def test_account_from_before_the_overlap_is_not_read_again(world: World) -> None:
    world.connect(created=world.now - MEMORY_SECONDS - OVERLAP_SECONDS - 1)

    world.tick()

    assert world.row() == {}


def test_nothing_is_missed_when_the_sweep_pauses(world: World) -> None:
    world.connect(created=NOW + 100)
    world.now += 100_000

    world.tick()

    assert world.row()["status"] == "ready"


def tick_with_an_empty_list(world: World) -> None:
    world.upstream.on_list = lambda *_: httpx.Response(200, json={"items": []})
    world.minutes(1)
    world.upstream.on_list = None


def test_one_empty_list_after_a_pause_loses_nothing(world: World) -> None:
    world.connect(created=NOW + 100)
    world.now += 100_000

    tick_with_an_empty_list(world)
    world.tick()

    assert world.row()["status"] == "ready"


def test_empty_list_is_accepted_the_second_time_or_at_once_without_a_pause(world: World) -> None:
    behind = []
    for pause in (60, 60, 100_000, 60, 60):
        world.now += pause
        world.tick()
        row = from_item(world.db.rows["SWEEP"]["WATERMARK"])
        behind.append(world.now - row["read_until"])

    assert behind == [0, 0, 100_000, 0, 0]


def test_watermark_stays_when_composio_fails_in_the_middle(world: World) -> None:
    world.connect(created=NOW + 100)
    world.now += 3600
    world.upstream.down = True
    world.tick()
    world.upstream.down = False
    world.now += 3600

    world.tick()

    assert world.row()["status"] == "ready"


def test_many_recent_accounts_are_read_in_turns(world: World) -> None:
    world.upstream.page = 7
    users = [f"user_{number}" for number in range(12)]
    for user in users:
        world.connect(user)
    create = world.upstream._create

    def create_slowly(request: httpx.Request, server_id: str) -> httpx.Response:
        world.now += 3
        return create(request, server_id)

    world.upstream._create = create_slowly  # type: ignore[method-assign]
    world.tick()

    assert world.ready == set(users)
    assert world.sqs.tasks("recent")
    assert world.upstream.creates == len(users)


def test_only_one_of_two_sweeps_reads_recent_accounts(world: World) -> None:
    now = int(world.now)
    begin = {"cursor": "", "begun_at": now}
    world.walk_table.take(
        RECENT, token="another", mine="", now=now, lease=LEASE_SECONDS, begin=begin
    )

    world.tick()
    assert world.upstream.requests == []
    world.now += LEASE_SECONDS
    world.tick()
    assert len(world.upstream.requests) == 1


@pytest.mark.parametrize("part", ["_due", "_catalog_part", "_recent"])
def test_each_part_survives_the_failure_of_another(
    world: World, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = ("_due", "_catalog_part", "_recent")
    mocks = {one: Mock(__name__=one) for one in parts}
    mocks[part].side_effect = RuntimeError
    for one in parts:
        monkeypatch.setattr(world.sweep, one, mocks[one])

    world.sweep.run(deadline=world.now + 20)

    assert [mock.call_count for mock in mocks.values()] == [1, 1, 1]


def test_many_slow_servers_leave_time_for_the_other_parts() -> None:
    names = [f"srv_{number:03}" for number in range(110)]
    world = World(enrolled=names)
    world.upstream.servers = {one: [GMAIL, SLACK] for one in names}
    server = world.upstream._server

    def take_a_while(server_id: str) -> dict[str, Any]:
        world.now += 0.25
        return server(server_id)

    world.upstream._server = take_a_while  # type: ignore[method-assign]

    began = world.now
    world.sweep.run(deadline=began + 27)

    listed = [one for one in world.upstream.requests if "connected_accounts" in one.url.path]
    assert len(listed) == 1
    assert world.now <= began + 27
