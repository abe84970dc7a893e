"""What was missed is caught up: instances that are due, accounts of no event, new servers."""

from typing import Any

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


def connect(world: World, *auth_configs: str, user: str = "user_1", created: float = NOW) -> None:
    """Let the user connect accounts that nobody sends an event about."""
    for auth_config in auth_configs:
        fact = account(auth_config, id=f"ca_{user}_{auth_config}", user=user)
        world.upstream.accounts[fact.id] = as_composio_has_it(fact) | {"created_at": created}


@pytest.fixture
def world() -> World:
    return swept_world()


def test_account_that_no_event_told_of_is_found(world: World) -> None:
    connect(world, GMAIL, SLACK)

    world.tick()

    assert world.row()["status"] == "ready"


def test_account_that_turns_active_late_is_found_in_the_overlap(world: World) -> None:
    connect(world, GMAIL)
    for _ in range(9):
        world.now += 60
        world.tick()
    connect(world, SLACK, created=NOW)

    world.tick()

    assert world.row()["status"] == "ready"


def test_account_that_is_known_costs_no_write(world: World) -> None:
    connect(world, GMAIL, SLACK)
    connect(world, GMAIL, user="user_2")
    world.tick()
    world.now += 60
    world.trips()

    world.tick()

    written = [call for name, call in world.db.calls if name == "UpdateItem"]
    assert [call["Key"]["pk"]["S"] for call in written if "USER" in str(call["Key"])] == []


def test_old_accounts_are_left_alone(world: World) -> None:
    for _ in range(20):
        world.now += 60
        world.tick()
    connect(world, GMAIL, SLACK, created=NOW - 2 * OVERLAP_SECONDS)

    world.tick()

    assert world.row() == {}


def test_nothing_is_missed_by_a_pause_of_the_sweep(world: World) -> None:
    connect(world, GMAIL, SLACK, created=NOW + 100)
    world.now += 100_000

    world.tick()

    assert world.row()["status"] == "ready"


def tick_with_an_empty_list(world: World) -> None:
    listed = world.upstream._accounts
    empty = httpx.Response(200, json={"items": []})
    world.upstream._accounts = lambda params: empty  # type: ignore[method-assign]  # noqa: ARG005
    world.tick()
    world.upstream._accounts = listed  # type: ignore[method-assign]
    world.now += 60


def test_one_empty_list_after_a_pause_is_not_believed(world: World) -> None:
    connect(world, GMAIL, SLACK, created=NOW + 100)
    world.now += 100_000

    tick_with_an_empty_list(world)
    world.tick()

    assert world.row()["status"] == "ready"


def test_empty_list_is_believed_the_second_time_and_at_once_without_a_pause(world: World) -> None:
    behind = []
    for pause in (60, 60, 100_000, 60, 60):
        world.now += pause
        world.tick()
        row = from_item(world.db.rows["SWEEP"]["WATERMARK"])
        behind.append(world.now - row["read_until"])

    assert behind == [0, 0, 100_000, 0, 0]


def test_one_empty_list_ends_no_back_fill(world: World) -> None:
    connect(world, GMAIL, created=NOW - 10**6)
    world.upstream.servers[SERVER] = [GMAIL]
    world.now += 600
    world.tick()
    world.now += MEMORY_SECONDS

    tick_with_an_empty_list(world)
    assert [one.name for one in world.walk_table.walks()] == [f"BACKFILL#{TARGET.sort_key}"]
    world.tick()

    assert world.row()["status"] == "ready"
    assert list(world.walk_table.walks()) == []


def test_sweep_tells_how_many_are_pending_and_how_long_the_oldest_is_due(
    world: World, figured: Figured
) -> None:
    world.upstream.script.extend([refusal(429, "slow", **{"retry-after": "100"})] * 2)
    for user in ("user_1", "user_2"):
        world.see(account(GMAIL, user=user))
        world.see(account(SLACK, user=user))
        world.now += 50
    metrics.clear_metrics()

    world.now += 20
    world.upstream.down = True
    world.tick()

    assert figured("TargetsPending") == [2]
    assert figured("OldestDueAge") == [20]
    assert [task["user_id"] for task in world.sqs.sent if task["task"] == "due"] == ["user_1"]


def test_sweep_tells_of_none_pending(world: World, figured: Figured) -> None:
    metrics.clear_metrics()

    world.tick()

    assert (figured("TargetsPending"), figured("OldestDueAge")) == ([0], [0])


def test_what_has_failed_and_is_due_tomorrow_is_not_pending(world: World, figured: Figured) -> None:
    world.upstream.script.append(refusal(404, "no such server"))
    world.see(account(GMAIL))
    world.see(account(SLACK))
    assert world.row()["status"] == "failed"
    metrics.clear_metrics()

    world.tick()
    world.now = world.row()["due_at"] - 60
    world.tick()

    assert figured("TargetsPending") == [0, 1]
    assert figured("OldestDueAge") == [0, 0]


def test_watermark_stays_when_composio_fails_in_the_middle(world: World) -> None:
    connect(world, GMAIL, SLACK, created=NOW + 100)
    world.now += 3600
    world.upstream.down = True
    world.tick()
    world.upstream.down = False
    world.now += 3600

    world.tick()

    assert world.row()["status"] == "ready"


def test_sweep_that_died_between_record_and_claim_is_made_good_by_the_next(world: World) -> None:
    connect(world, GMAIL, SLACK)
    world.see(account(GMAIL, id=f"ca_user_1_{GMAIL}"))
    world.account_table.record(account(SLACK, id=f"ca_user_1_{SLACK}"))

    world.tick()

    assert world.row()["status"] == "ready"


def test_many_recent_accounts_are_read_in_turns(world: World) -> None:
    world.upstream.page = 7
    users = [f"user_{number}" for number in range(40)]
    for user in users:
        connect(world, GMAIL, SLACK, user=user)
    slow = world.upstream._create

    def take_a_second(request: httpx.Request, server_id: str) -> httpx.Response:
        world.now += 1
        return slow(request, server_id)

    world.upstream._create = take_a_second  # type: ignore[method-assign]
    world.tick()

    assert {user for _, user in world.upstream.instances} == set(users)
    assert {task["task"] for task in world.sqs.sent} >= {"recent"}
    assert world.upstream.creates == len(users)


def test_two_sweeps_at_once_do_not_both_read(world: World) -> None:
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


def test_due_instance_is_finished_without_an_event(world: World) -> None:
    world.upstream.script.append(refusal(503, "down"))
    world.see(account(GMAIL))
    world.see(account(SLACK))
    world.tick()
    assert world.row()["status"] == "retrying"

    world.now += 15
    world.tick()

    assert world.row()["status"] == "ready"
    assert {"task": "due", "user_id": "user_1", "target": TARGET.sort_key} in world.sqs.sent


def test_claim_of_the_dead_is_finished_without_an_event(world: World) -> None:
    world.upstream.script.append(die)
    world.see(account(GMAIL))
    with pytest.raises(Killed):
        world.see(account(SLACK))
    world.now += LEASE_SECONDS
    world.tick()

    assert world.row()["status"] == "ready"


def test_what_expired_meanwhile_makes_a_due_instance_wait_and_then_rest(world: World) -> None:
    world.upstream.down = True
    world.see(account(GMAIL))
    world.see(account(SLACK))
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


def test_event_that_the_claim_kept_out_is_not_forgotten(world: World) -> None:
    """The last account connects while the claim of the one before is being refused."""

    def forbidden_while_it_connects(_: httpx.Request) -> httpx.Response:
        world.upstream.accounts["ca_slack"] = as_composio_has_it(account(SLACK))
        return refusal(403, "not all connected")

    world.see(account(GMAIL))
    world.upstream.accounts["ca_gmail"] = as_composio_has_it(account(GMAIL, status="EXPIRED"))
    listed = world.upstream._accounts

    def list_then_connect(params: httpx.QueryParams) -> httpx.Response:
        answer = listed(params)
        world.now += 1
        assert world.see(account(GMAIL, at=5)) == {SERVER: "creating"}
        return answer

    world.upstream.script.append(forbidden_while_it_connects)
    world.upstream._accounts = list_then_connect  # type: ignore[method-assign]
    assert world.see(account(SLACK)) == {SERVER: "waiting"}
    world.upstream._accounts = listed  # type: ignore[method-assign]
    world.upstream.accounts.clear()

    world.now += 1000
    world.tick()
    assert world.row()["status"] == "ready"


def test_instance_of_a_server_that_is_gone_fails_with_the_reason(world: World) -> None:
    world.upstream.down = True
    world.see(account(GMAIL))
    world.see(account(SLACK))
    world.upstream.down = False
    world.upstream.servers.clear()
    world.upstream.script.extend([refusal(503, "down")] * 100)

    for _ in range(10):
        world.now += 60
        world.tick()

    assert world.row()["status"] == "failed"
    assert "does not exist" in world.row()["last_error"]["message"]


def test_due_instance_is_not_failed_for_a_catalog_that_cannot_be_read(world: World) -> None:
    world.upstream.down = True
    world.see(account(GMAIL))
    world.see(account(SLACK))
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
        connect(world, GMAIL, SLACK, user=user, created=NOW - 10**6)
    world.upstream.servers["srv_new"] = [SLACK]
    world.now += 600

    world.tick()
    world.now += MEMORY_SECONDS
    world.tick()

    assert {user for server, user in world.upstream.instances if server == "srv_new"} == set(users)
    assert list(world.walk_table.walks()) == []


def test_server_that_needs_less_completes_those_who_waited(world: World) -> None:
    world.see(account(GMAIL))
    connect(world, GMAIL, created=NOW - 10**6)
    world.upstream.servers[SERVER] = [GMAIL]
    world.now += 600

    world.tick()
    world.now += MEMORY_SECONDS
    world.tick()

    assert world.row()["status"] == "ready"


def test_back_fill_of_a_server_that_requires_nothing_reads_nobody(world: World) -> None:
    world.upstream.servers[SERVER] = []
    world.upstream.accounts["ca_gmail"] = as_composio_has_it(account(GMAIL))
    world.now += 300
    world.tick()
    world.upstream.requests.clear()
    world.now += 60
    world.tick()

    assert {"task": "backfill", "target": TARGET.sort_key} in world.sqs.sent
    assert list(world.walk_table.walks()) == []
    # Only the sweep's look at recent accounts, which asks for those of every auth config.
    listed = [one for one in world.upstream.requests if "connected_accounts" in one.url.path]
    assert len(listed) == 1


def test_back_fill_that_died_goes_on_where_it_was(world: World) -> None:
    for number in range(10):
        connect(world, GMAIL, SLACK, user=f"user_{number}", created=NOW - 10**6)
    world.catalog_table.store_server(
        world.catalog.target(TARGET, deadline=world.now + 20),
        backfill_at=0,
    )
    world.upstream.page = 2

    world.upstream.script.append(die)
    with pytest.raises(Killed):
        world.sweep.backfill(TARGET, deadline=world.now + 20)
    world.start()
    world.now += 60
    world.tick()
    world.now += 60
    world.tick()

    assert len(world.upstream.instances) == 10


@pytest.mark.parametrize("part", ["_due", "_catalog_part", "_recent"])
def test_each_part_survives_the_failure_of_another(
    world: World, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def fails(_: float) -> None:
        raise RuntimeError

    for name in ("_due", "_catalog_part", "_recent"):
        run = fails if name == part else ran.append
        run_named = type(name, (), {"__call__": staticmethod(run), "__name__": name})()
        monkeypatch.setattr(world.sweep, name, run_named)

    world.sweep.run(deadline=world.now + 20)

    assert len(ran) == 2


def test_very_many_slow_servers_leave_the_other_parts_their_time() -> None:
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


def test_event_that_an_old_memory_ignored_is_found_by_the_back_fill(world: World) -> None:
    connect(world, GMAIL)
    world.tick()
    world.now += 400
    remembering = world.provisioning
    remembering.handle_fact(account(GMAIL, user="another"), deadline=world.now + 22)
    world.start()
    world.upstream.servers[SERVER] = [GMAIL, "ac_notion"]
    world.tick()

    world.now += MEMORY_SECONDS - 1
    back = account("ac_notion", id="ca_old")
    seen = remembering.handle_fact(back, deadline=world.now + 22)
    world.upstream.accounts["ca_old"] = as_composio_has_it(back) | {"created_at": NOW - 9000}
    for _ in range(3):
        world.tick()
        world.now += 60

    assert seen.ignored
    assert world.row()["status"] == "ready"


def test_back_fill_waits_for_the_change_that_asked_for_it(world: World) -> None:
    world.see(account(GMAIL))
    connect(world, GMAIL, created=NOW - 10**6)
    now = int(world.now)
    world.walk_table.request_backfill(TARGET, at=now, changed_at=now)
    world.sweep.backfill(TARGET, deadline=now + 20)
    world.catalog_table.store_server(Target(SERVER, frozenset({GMAIL})), read_at=now)
    world.tick()

    assert world.row()["status"] == "ready"


def test_back_fill_that_an_operator_begins_goes_by_the_newest_catalog(world: World) -> None:
    connect(world, "ac_notion", created=NOW - 9000)
    world.catalog.known()
    new = Target(SERVER, frozenset({"ac_notion"}))
    world.upstream.servers[SERVER] = ["ac_notion"]
    world.catalog_table.store_server(new, backfill_at=0)

    world.sqs.put({"task": "backfill", "target": TARGET.sort_key})
    world.work()

    assert world.row()["status"] == "ready"
