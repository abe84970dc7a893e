"""The sweep queues what is due, and measures what is pending."""

from contextlib import nullcontext

import httpx
import pytest

from handler.decisions import LEASE_SECONDS
from handler.telemetry import metrics
from tests.doubles import Figured, Killed, die, refusal
from tests.world import (
    GMAIL,
    SERVER,
    SLACK,
    TARGET,
    World,
    account,
    as_composio_has_it,
    swept_world,
)


@pytest.fixture
def world() -> World:
    return swept_world()


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


def test_sweep_claims_what_was_recorded_before_a_crash(world: World) -> None:
    world.connect()
    world.see(account(GMAIL, id=f"ca_user_1_{GMAIL}"))
    world.account_table.record(account(SLACK, id=f"ca_user_1_{SLACK}"))

    world.tick()

    assert world.row()["status"] == "ready"


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
