"""The sweep catches up: instances that are due, accounts without an event, new servers."""

from contextlib import nullcontext
from typing import Any
from unittest.mock import Mock

import httpx
import pytest

from handler.catalog import MEMORY_SECONDS
from handler.decisions import LEASE_SECONDS
from handler.dynamodb import from_item
from handler.sweep import OVERLAP_SECONDS
from handler.targets import Target
from handler.telemetry import metrics
from handler.walk_table import RECENT
from tests.doubles import Figured, Killed, die
from tests.world import (
    GMAIL,
    NOW,
    SERVER,
    SLACK,
    TARGET,
    World,
    account,
    as_composio_has_it,
    refusal,
    swept_world,
)

LONG_AGO = NOW - 10**6


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


def test_sweep_measures_how_many_are_pending_and_how_late_the_oldest_is(
    world: World, figured: Figured
) -> None:
    world.upstream.script.extend([refusal(429, "slow", **{"retry-after": "100"})] * 2)
    for user in ("user_1", "user_2"):
        world.complete(user)
        world.now += 50
    metrics.clear_metrics()

    world.now += 20
    world.upstream.down = True
    world.tick()

    assert figured("TargetsPending") == [2]
    assert figured("OldestDueAge") == [20]
    assert [task["user_id"] for task in world.sqs.tasks("due")] == ["user_1"]


def test_failed_instance_is_pending_only_when_it_is_due_soon(
    world: World, figured: Figured
) -> None:
    world.upstream.script.append(refusal(404, "no such server"))
    world.complete()
    assert world.row()["status"] == "failed"
    metrics.clear_metrics()

    world.tick()
    world.now = world.row()["due_at"] - 60
    world.tick()

    assert figured("TargetsPending") == [0, 1]
    assert figured("OldestDueAge") == [0, 0]


def test_watermark_stays_when_composio_fails_in_the_middle(world: World) -> None:
    world.connect(created=NOW + 100)
    world.now += 3600
    world.upstream.down = True
    world.tick()
    world.upstream.down = False
    world.now += 3600

    world.tick()

    assert world.row()["status"] == "ready"


def test_sweep_claims_what_was_recorded_before_a_crash(world: World) -> None:
    world.connect()
    world.see(account(GMAIL, id=f"ca_user_1_{GMAIL}"))
    world.account_table.record(account(SLACK, id=f"ca_user_1_{SLACK}"))

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


@pytest.mark.parametrize(("killed", "due_in"), [(False, 15), (True, LEASE_SECONDS)])
def test_due_instance_is_finished_without_an_event(
    world: World, *, killed: bool, due_in: int
) -> None:
    world.upstream.script.extend([die] if killed else [refusal(429, "slow down")])
    with pytest.raises(Killed) if killed else nullcontext():
        world.complete()
    world.now += due_in - 1
    world.tick()
    assert world.row()["status"] == ("creating" if killed else "retrying")

    world.now += 1
    world.tick()

    assert world.row()["status"] == "ready"
    assert world.sqs.tasks("due") == [
        {"task": "due", "user_id": "user_1", "target": TARGET.sort_key}
    ]


def test_due_instance_waits_for_an_expired_account_and_is_then_no_longer_due(world: World) -> None:
    world.upstream.down = True
    world.complete()
    world.see(account(SLACK, status="EXPIRED", at=9))
    world.upstream.down = False
    creates = world.upstream.creates

    world.now += 15
    world.tick()
    assert (world.row()["status"], world.row()["missing"]) == ("waiting", [SLACK])
    assert "due_at" in world.row()
    world.now += 1000
    world.tick()
    assert world.row()["status"] == "waiting"
    assert "due_at" not in world.row()
    assert world.upstream.creates == creates

    assert world.see(account(SLACK, at=10)) == {SERVER: "ready"}


def test_event_during_a_claim_is_acted_on_later(world: World) -> None:
    """The last account connects while the claim of the one before is being refused."""

    def forbidden_while_it_connects(_: httpx.Request) -> httpx.Response:
        world.upstream.accounts["ca_slack"] = as_composio_has_it(account(SLACK))
        return refusal(403, "not all connected")

    world.see(account(GMAIL))
    world.upstream.accounts["ca_gmail"] = as_composio_has_it(account(GMAIL, status="EXPIRED"))

    def connect_after_the_list(_: httpx.QueryParams, listed: httpx.Response) -> httpx.Response:
        world.now += 1
        assert world.see(account(GMAIL, at=5)) == {SERVER: "creating"}
        return listed

    world.upstream.script.append(forbidden_while_it_connects)
    world.upstream.on_list = connect_after_the_list
    assert world.see(account(SLACK)) == {SERVER: "waiting"}
    world.upstream.on_list = None
    world.upstream.accounts.clear()

    world.now += 1000
    world.tick()
    assert world.row()["status"] == "ready"


def test_instance_of_a_server_that_is_gone_fails_with_the_reason(world: World) -> None:
    world.upstream.down = True
    world.complete()
    world.upstream.down = False
    world.upstream.servers.clear()
    world.upstream.script.extend([refusal(503, "down")] * 100)

    for _ in range(10):
        world.now += 60
        world.tick()

    assert world.row()["status"] == "failed"
    assert "does not exist" in world.row()["last_error"]["message"]


def test_due_instance_does_not_fail_because_the_catalog_cannot_be_read(world: World) -> None:
    world.upstream.down = True
    world.complete()
    world.now += 10_000
    for key in ("SYNCED", f"SERVER#{SERVER}"):
        world.db.delete_item(TableName="table", Key={"pk": {"S": "CATALOG"}, "sk": {"S": key}})
    world.start()
    world.sqs.put({"task": "due", "user_id": "user_1", "target": TARGET.sort_key})

    assert len(world.work()) == 1
    assert world.row()["status"] == "retrying"


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
