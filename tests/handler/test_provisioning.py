"""What follows from a fact: it is recorded, and an instance is claimed, created and settled."""

from typing import Any, Never

import httpx
import pytest
from botocore.exceptions import ClientError

from handler.creation import Outcome
from handler.decisions import LEASE_SECONDS
from handler.events import Account
from handler.targets import Status, Target
from tests.doubles import Figured, Killed, Log, die, refusal
from tests.world import GMAIL, NOW, SERVER, SLACK, TARGET, World, account


def throttled(*_: object, **__: object) -> Never:
    raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")


def test_first_account_of_two_waits_for_the_other(world: World) -> None:
    seen = world.provisioning.handle_fact(account(GMAIL), deadline=world.now + 20)

    assert seen.outcomes == (Outcome(TARGET, Status.WAITING, frozenset({SLACK})),)
    assert world.row() == {}


def test_last_account_makes_the_instance_and_stores_its_record(world: World) -> None:
    assert world.complete() == {SERVER: "ready"}

    row = world.row()
    assert row["status"] == "ready"
    assert row["record"] == world.upstream.record(SERVER, "user_1")
    assert row["attempts"] == 1
    assert "due" not in row
    assert "due_at" not in row


def test_round_trips_are_one_to_wait_three_to_create_and_two_to_repeat(world: World) -> None:
    world.see(account(GMAIL))
    assert world.trips() == (["UpdateItem"], 0)

    world.see(account(SLACK))
    assert world.trips() == (["UpdateItem"] * 3, 1)

    assert world.see(account(SLACK)) == {SERVER: "ready"}
    assert world.trips() == (["UpdateItem"] * 2, 0)


@pytest.mark.parametrize(("now", "seconds"), [(NOW - 30, 10), (NOW - 50, 0)])
def test_time_to_ready_is_from_the_newest_required_account_and_never_negative(
    world: World, figured: Figured, now: float, seconds: int
) -> None:
    world.now = now
    world.see(account(GMAIL, at=5))
    world.account_table.record(account("ac_other", at=29))
    assert figured("TimeToReady") == []

    world.see(account(SLACK, at=20))

    assert figured("TimeToReady") == [seconds]


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ([account(GMAIL, at=20), account(GMAIL, status="EXPIRED", at=10)], "ready"),
        ([account(GMAIL, at=10), account(GMAIL, status="EXPIRED", at=20)], "waiting"),
        ([account(GMAIL), account(GMAIL, status="INITIATED")], "ready"),
        ([account(GMAIL, status="INITIATED"), account(GMAIL)], "ready"),
        ([account(GMAIL), account(GMAIL, id="ca_2", status="REVOKED", at=9)], "ready"),
    ],
)
def test_newest_fact_of_each_account_decides(
    world: World, facts: list[Account], status: str
) -> None:
    for fact in facts:
        world.see(fact)

    assert world.see(account(SLACK)) == {SERVER: status}
    assert world.upstream.creates == (status == "ready")


def test_auth_config_that_no_server_requires_is_not_recorded(world: World) -> None:
    seen = world.provisioning.handle_fact(account("ac_other"), deadline=world.now + 20)

    assert seen.ignored == "no enrolled MCP server requires the auth config"
    assert world.trips() == ([], 0)


def test_one_account_can_complete_several_servers() -> None:
    world = World(enrolled=None)
    world.upstream.servers = {"srv_a": [GMAIL], "srv_b": [GMAIL], "srv_c": [SLACK]}

    assert world.see(account(GMAIL)) == {"srv_a": "ready", "srv_b": "ready"}
    assert world.upstream.instances == {("srv_a", "user_1"), ("srv_b", "user_1")}


def test_nothing_is_created_while_no_server_is_enrolled() -> None:
    world = World(enrolled=())

    assert world.complete() == {}
    assert world.upstream.instances == set()


def test_claim_of_a_killed_process_is_left_alone_until_its_lease_ends(world: World) -> None:
    world.upstream.script.append(die)
    with pytest.raises(Killed):
        world.complete()

    world.now += LEASE_SECONDS - 1
    assert world.see(account(SLACK)) == {SERVER: "creating"}
    world.now += 1
    assert world.see(account(SLACK)) == {SERVER: "ready"}
    assert world.row()["attempts"] == 2


def test_claim_that_was_taken_over_is_not_settled(world: World) -> None:
    def take_over(_: httpx.Request) -> httpx.Response:
        world.now += LEASE_SECONDS
        assert world.see(account(SLACK)) == {SERVER: "ready"}
        return refusal(404, "too late")

    world.upstream.script.append(take_over)

    assert world.complete() == {SERVER: "creating"}
    assert world.row()["status"] == "ready"


def test_event_whose_claim_cannot_be_stored_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.see(account(GMAIL))
    with monkeypatch.context() as patch:
        patch.setattr(world.target_table, "claim", throttled)
        with pytest.raises(ClientError):
            world.see(account(SLACK))

    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_event_does_not_fail_for_an_error_after_the_claim(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.see(account(GMAIL))
    with monkeypatch.context() as patch:
        patch.setattr(world.target_table, "settle", throttled)
        assert world.see(account(SLACK)) == {SERVER: "creating"}

    world.now += LEASE_SECONDS
    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_fact_is_recorded_while_the_catalog_is_unknown_and_composio_down() -> None:
    world = World()
    world.upstream.down = True

    assert world.see(account(GMAIL)) == {}
    world.upstream.down = False
    world.now += 61
    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_fact_is_recorded_even_if_the_catalog_cannot_be_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    monkeypatch.setattr(world.catalog_table, "store_server", throttled)

    assert world.see(account(GMAIL)) == {}
    assert world.trips()[0] == ["Query", "UpdateItem"]


def test_new_fact_is_acted_on_although_its_first_claim_failed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.upstream.script.append(refusal(422, "no"))
    world.complete()
    with monkeypatch.context() as patch:
        patch.setattr(world.target_table, "claim", throttled)
        with pytest.raises(ClientError):
            world.see(account(SLACK, at=9))

    assert world.see(account(SLACK, at=9)) == {SERVER: "ready"}


def test_failed_claim_for_one_server_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = [f"srv_{letter}" for letter in "abc"]
    world = World(servers)
    world.upstream.servers = {one: [GMAIL] for one in servers}
    claim = world.target_table.claim

    def second_lost(user_id: str, server: Target, **given: Any) -> Any:
        return throttled() if server.id == "srv_b" else claim(user_id, server, **given)

    monkeypatch.setattr(world.target_table, "claim", second_lost)
    with pytest.raises(ClientError):
        world.see(account(GMAIL))

    assert [world.row(server_id=one).get("status") for one in servers] == ["ready", None, "ready"]


def test_instances_that_an_event_has_no_time_for_are_left_to_the_queue() -> None:
    servers = [f"srv_{number:02}" for number in range(12)]
    world = World(servers)
    world.upstream.servers = {one: [GMAIL] for one in servers}
    world.catalog.sync(deadline=world.now + 20)

    def slow(request: httpx.Request) -> httpx.Response:
        world.now += 1.1
        server_id = request.url.path.split("/")[5]
        return httpx.Response(201, json=world.upstream.record(server_id, "user_1"))

    world.upstream.script.extend([slow] * 12)
    began = world.now
    seen = world.see(account(GMAIL))

    assert world.now - began < 5
    assert set(seen.values()) == {"ready", "creating"}
    for _ in range(6):
        world.now += 120
        world.tick()
    assert {world.row(server_id=one)["status"] for one in servers} == {"ready"}


def test_error_text_of_composio_that_names_the_user_is_not_logged(world: World, log: Log) -> None:
    user = "ada@example.invalid"
    world.upstream.script.append(refusal(422, f"no account of {user}"))
    world.complete(user)
    world.upstream.gets.append(refusal(422, f"nothing of {user}"))
    world.sqs.put(
        {"detail": {"type": "composio.connected_account.expired", "data": {"id": "ca_1"}}}
    )
    world.work()

    assert {"target settled", "message failed"} <= {one["message"] for one in log.lines}
    assert "ada" not in log.text
    assert world.row(user)["last_error"]["message"] == f"no account of {user}"
