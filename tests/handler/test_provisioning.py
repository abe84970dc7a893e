"""What follows from a fact: it is recorded, and an instance is claimed, created and settled."""

from typing import Any, Never

import httpx
import pytest
from botocore.exceptions import ClientError

from handler.creation import Outcome
from handler.decisions import LEASE_SECONDS
from handler.events import Account, AccountEvent
from handler.provisioning import Handled
from handler.targets import Status, Target
from tests.doubles import Counted, Figured, Killed, Log, die
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
)


def throttled(*_: object, **__: object) -> Never:
    raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")


def show_accounts(world: World, *facts: Account) -> None:
    """Let Composio have these accounts."""
    world.upstream.accounts.update({one.id: as_composio_has_it(one) for one in facts})


def handle(world: World, account_id: str = "ca_gmail", **event: Any) -> Handled:
    """Handle an event that says no more of the account than this."""
    named = AccountEvent(account_id, event.get("fact"), event.get("user_id"))
    return world.provisioning.handle_event(named, deadline=world.now + 20)


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


def test_conflict_is_success_and_adopts_the_record(world: World) -> None:
    world.upstream.instances = {(SERVER, "user_1"), (SERVER, "user_10")}

    assert world.complete() == {SERVER: "ready"}
    assert world.row()["record"]["instance_id"] == "user_1"


def test_conflict_is_success_even_if_the_record_cannot_be_read(world: World) -> None:
    world.upstream.script.append(refusal(409, "exists"))
    world.upstream.gets.append(refusal(500, "down"))

    assert world.complete() == {SERVER: "ready"}
    assert "record" not in world.row()


def test_conflict_is_success_although_the_record_is_not_on_the_first_of_many_pages(
    world: World,
) -> None:
    others = [world.upstream.record(SERVER, f"user_1{number}") for number in range(100)]
    page = httpx.Response(200, json={"instances": others, "total_pages": 70})
    world.upstream.script.append(refusal(409, "exists"))
    world.upstream.gets.extend([page] * 2)

    assert world.complete() == {SERVER: "ready"}
    assert [one.method for one in world.upstream.requests] == ["POST", "GET"]


def test_bad_request_for_an_instance_that_exists_is_success(world: World) -> None:
    world.upstream.instances = {(SERVER, "user_1")}
    world.upstream.script.append(refusal(400, "any words"))

    assert world.complete() == {SERVER: "ready"}


@pytest.mark.parametrize("status", [400, 422])
def test_refusal_fails_with_the_whole_error_of_composio(world: World, status: int) -> None:
    world.upstream.script.append(refusal(status, "no such thing"))

    assert world.complete() == {SERVER: "failed"}
    row = world.row()
    assert row["due_at"] == world.now + 3600
    assert row["last_error"] == {
        "message": "no such thing",
        "status": status,
        "slug": f"Slug_{status}",
        "suggested_fix": "mend it",
        "request_id": "req_1",
        "at": int(world.now),
    }


def test_forbidden_corrects_the_facts_and_waits_for_what_composio_misses(world: World) -> None:
    world.upstream.script.append(refusal(403, "not all connected"))
    show_accounts(world, account(SLACK), account(GMAIL, status="EXPIRED", at=30))

    assert world.complete() == {SERVER: "waiting"}
    assert world.row()["missing"] == [GMAIL]
    assert world.see(account(SLACK, at=40)) == {SERVER: "waiting"}
    assert world.upstream.creates == 1

    assert world.see(account(GMAIL, at=50)) == {SERVER: "ready"}


def test_forbidden_withdraws_an_account_that_is_no_longer_there(world: World) -> None:
    world.upstream.script.append(refusal(403, "not all connected"))
    show_accounts(world, account(SLACK))

    assert world.complete() == {SERVER: "waiting"}

    assert world.see(account(SLACK, at=40)) == {SERVER: "waiting"}
    assert world.see(account(GMAIL)) == {SERVER: "waiting"}
    assert world.upstream.creates == 1
    assert world.see(account(GMAIL, at=50)) == {SERVER: "ready"}


def test_forbidden_without_a_reason_retries_and_then_fails(world: World) -> None:
    show_accounts(world, account(GMAIL), account(SLACK))
    world.upstream.script.extend([refusal(403, "key lacks permission")] * 20)
    world.complete()
    seen = ["retrying"]
    while seen[-1] == "retrying":
        world.now += 1000
        seen.append(world.see(account(SLACK))[SERVER])

    assert seen == ["retrying"] * 7 + ["failed"]
    assert world.row()["last_error"]["message"] == "key lacks permission"


@pytest.mark.parametrize("step", [refusal(502, "down"), httpx.ReadTimeout("slow")])
def test_failed_call_is_repeated_once_and_then_retried_later(world: World, step: Any) -> None:
    world.upstream.script.extend([step, step])

    assert world.complete() == {SERVER: "retrying"}
    assert world.upstream.creates == 2
    row = world.row()
    assert (row["due"], row["due_at"]) == ("due", world.now + 15)

    assert world.see(account(SLACK)) == {SERVER: "retrying"}
    world.now += 15
    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_lost_answer_is_settled_by_the_conflict_on_the_next_try(world: World) -> None:
    def create_and_lose(_: httpx.Request) -> Never:
        world.upstream.instances.add((SERVER, "user_1"))
        raise httpx.ReadTimeout("lost")

    world.upstream.script.append(create_and_lose)

    assert world.complete() == {SERVER: "ready"}
    assert world.row()["record"]["instance_id"] == "user_1"


def test_failed_call_is_not_repeated_without_the_time_for_it(world: World) -> None:
    def slow(_: httpx.Request) -> httpx.Response:
        world.now += 18
        raise httpx.ReadTimeout("slow")

    world.upstream.script.append(slow)

    assert world.complete() == {SERVER: "retrying"}
    assert world.upstream.creates == 1


def test_rate_limited_instance_waits_as_long_as_composio_asks(world: World) -> None:
    limited = httpx.Response(
        429, json={"message": "Rate limit exceeded."}, headers={"retry-after": "77"}
    )
    world.upstream.script.append(limited)

    assert world.complete() == {SERVER: "retrying"}
    row = world.row()
    assert row["due_at"] == world.now + 77
    assert row["last_error"]["message"] == "Rate limit exceeded."


def test_failed_instance_is_retried_for_a_new_fact_and_not_for_a_repeated_one(
    world: World,
) -> None:
    world.upstream.script.append(refusal(422, "no"))
    world.complete()

    assert world.see(account(SLACK)) == {SERVER: "failed"}
    assert world.see(account(SLACK, at=30)) == {SERVER: "ready"}
    assert world.row()["attempts"] == 1
    assert "last_error" not in world.row()


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


def test_account_without_a_user_is_looked_up(world: World) -> None:
    show_accounts(world, account(GMAIL))

    seen = handle(world)

    assert [one.status for one in seen.outcomes] == [Status.WAITING]


@pytest.mark.parametrize("known", [True, False])
def test_account_without_a_known_user_is_ignored(world: World, known: bool) -> None:
    if known:
        world.upstream.accounts["ca_gmail"] = as_composio_has_it(account(GMAIL)) | {"user_id": None}

    seen = handle(world)

    assert seen.ignored == "Composio does not say whose connected account it is"
    assert world.trips()[0] == []


HTML = httpx.Response(200, html="<title>Please wait</title>")


@pytest.mark.parametrize(
    "odd",
    [HTML, httpx.Response(200, json={}), httpx.Response(201, json={"id": "rec_1"})],
)
def test_success_without_a_record_of_the_user_is_looked_up(world: World, odd: Any) -> None:
    world.upstream.script.append(odd)
    assert world.complete() == {SERVER: "retrying"}

    world.now += 15
    world.provisioning.resume("user_1", TARGET, deadline=world.now + 20)

    assert world.row()["status"] == "ready"
    assert (SERVER, "user_1") in world.upstream.instances


@pytest.mark.parametrize("status", [403, 404, 409])
def test_page_of_a_proxy_is_not_an_answer_of_composio(world: World, status: int) -> None:
    world.upstream.script.append(httpx.Response(status, html="<h1>Blocked</h1>"))

    assert world.complete() == {SERVER: "retrying"}


def test_only_consecutive_forbidden_answers_without_a_reason_are_counted(world: World) -> None:
    show_accounts(world, account(GMAIL), account(SLACK))
    unavailable, forbidden = refusal(503, "down"), refusal(403, "not now")
    world.upstream.script.extend([unavailable] * 9 + [forbidden] * 7 + [unavailable, forbidden])
    world.complete()
    for _ in range(17):
        world.now += 1000
        assert world.see(account(SLACK)) == {SERVER: "retrying"}

    world.now += 1000
    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_forbidden_and_an_empty_list_do_not_withdraw_the_facts(world: World) -> None:
    show_accounts(world, account(GMAIL), account(SLACK))
    world.upstream.script.append(refusal(403, "not all connected"))
    world.upstream.gets.append(httpx.Response(200, json={"items": []}))

    assert world.complete() == {SERVER: "retrying"}
    world.now += 15
    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_user_id_with_a_comma_keeps_its_facts_after_forbidden_and_an_empty_list(
    world: World,
) -> None:
    user = "doe, jane"
    show_accounts(world, account(GMAIL, user=user), account(SLACK, user=user))
    world.upstream.script.append(refusal(403, "not all connected"))
    world.upstream.gets.append(httpx.Response(200, json={"items": []}))

    assert world.complete(user) == {SERVER: "retrying"}
    assert world.target_table.user(user)[0].active == {GMAIL, SLACK}


def test_auth_config_that_is_disabled_at_composio_corrects_the_facts(world: World) -> None:
    """The account's own time stays: ComposioHQ/composio issue 2455."""
    disabled = as_composio_has_it(account(GMAIL))
    disabled["auth_config"] = {"id": GMAIL, "is_disabled": True}
    world.upstream.accounts["ca_gmail"] = disabled
    show_accounts(world, account(SLACK))
    world.upstream.script.append(refusal(403, "not all connected"))

    assert world.complete() == {SERVER: "waiting"}
    assert world.row()["missing"] == [GMAIL]
    assert world.target_table.user("user_1")[0].active == {SLACK}
    for _ in range(3):
        world.now += 100
        world.tick()
        assert world.see(account(GMAIL)) == {SERVER: "waiting"}
    assert world.upstream.creates == 1


def test_account_of_an_event_from_the_future_is_read_at_composio(world: World) -> None:
    future = account(GMAIL, status="EXPIRED")._replace(updated_at="2999-01-01T00:00:00.000000Z")
    show_accounts(world, account(GMAIL, at=1))
    world.see(account(SLACK))

    seen = handle(world, fact=future)

    assert [one.status for one in seen.outcomes] == ["ready"]


def test_expired_account_whose_events_are_from_the_future_causes_one_create_call(
    world: World,
) -> None:
    future = "2999-01-01T00:00:00.000000Z"
    show_accounts(world, account(SLACK))
    world.upstream.accounts["ca_gmail"] = as_composio_has_it(
        account(GMAIL, status="EXPIRED")._replace(updated_at=future)
    )

    def forbidden(_: httpx.Request) -> httpx.Response:
        world.now += 1
        return refusal(403, "not all connected")

    world.upstream.script.extend([forbidden] * 10)
    world.complete()
    for _ in range(20):
        world.now += 3600
        world.tick()
        handle(world, fact=account(GMAIL)._replace(updated_at=future))

    assert world.row()["status"] == "waiting"
    assert world.upstream.creates == 1


def test_failed_instance_is_retried_by_the_sweep_and_counted_once(
    world: World, counted: Counted
) -> None:
    world.upstream.script.extend([refusal(422, "no")] * 4)
    world.complete()
    for hours in (1, 2, 4):
        world.now += hours * 3600
        world.tick()
        assert world.row()["status"] == "failed"
    world.now += 8 * 3600
    world.tick()

    assert world.row()["status"] == "ready"
    assert counted()["TargetFailed"] == 1


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


def test_user_whom_only_the_event_names_is_confirmed_by_the_filtered_list(world: World) -> None:
    """Composio has announced that it will stop naming users in its answers."""
    world.see(account(SLACK))
    show_accounts(world, account(GMAIL))
    nameless = world.upstream.accounts["ca_gmail"] | {"user_id": None}
    world.upstream.gets.append(httpx.Response(200, json=nameless))
    world.upstream.on_list = lambda _, listed: httpx.Response(
        200, json={"items": [nameless] * len(listed.json()["items"])}
    )

    seen = handle(world, user_id="user_1")

    assert [one.status for one in seen.outcomes] == ["ready"]


def test_user_whom_only_the_event_names_and_composio_does_not_confirm_is_ignored(
    world: World,
) -> None:
    shown = as_composio_has_it(account(GMAIL, user="another"))
    world.upstream.accounts["ca_gmail"] = shown
    world.upstream.gets.append(httpx.Response(200, json=shown | {"user_id": None}))

    seen = handle(world, user_id="user_1")

    assert seen.ignored
    assert world.target_table.user("user_1")[0].accounts == ()


@pytest.mark.parametrize("known", [True, False])
def test_account_counts_as_deleted_only_if_the_list_lacks_it_too(world: World, known: bool) -> None:
    world.see(account(SLACK))
    if known:
        show_accounts(world, account(GMAIL))
    world.upstream.gets.append(refusal(404, "not found"))

    seen = handle(world)

    assert [one.status for one in seen.outcomes] == (["ready"] if known else [])
    assert bool(seen.ignored) is not known
