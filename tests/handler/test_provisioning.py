"""What becomes of a fact, through record, decide, claim, create and settle."""

from typing import Any, Never

import httpx
import pytest
from botocore.exceptions import ClientError

from handler.decisions import LEASE_SECONDS
from handler.events import AccountEvent
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


def lost(*_: object, **__: object) -> Never:
    """Die before the claim."""
    raise ConnectionError


def complete(world: World) -> dict[str, str]:
    world.see(account(GMAIL))
    return world.see(account(SLACK))


def test_first_account_of_two_waits_for_the_other(world: World) -> None:
    seen = world.provisioning.handle_fact(account(GMAIL), deadline=world.now + 20)

    assert [(SERVER, Status.WAITING, frozenset({SLACK}))] == [
        (one.target.name, one.status, one.missing) for one in seen.outcomes
    ]
    assert world.row() == {}


def test_last_account_makes_the_instance_and_stores_its_record(world: World) -> None:
    assert complete(world) == {SERVER: "ready"}

    row = world.row()
    assert row["status"] == "ready"
    assert row["record"] == world.upstream.record(SERVER, "user_1")
    assert row["attempts"] == 1
    assert "due" not in row
    assert "due_at" not in row


def test_round_trips_are_one_and_three_and_two(world: World) -> None:
    world.see(account(GMAIL))
    assert world.trips() == (["UpdateItem"], 0)

    world.see(account(SLACK))
    assert world.trips() == (["UpdateItem"] * 3, 1)

    assert world.see(account(SLACK)) == {SERVER: "ready"}
    assert world.trips() == (["UpdateItem"] * 2, 0)


def test_user_erased_a_moment_ago_is_begun_anew(world: World) -> None:
    empty = world.db.snapshot()
    complete(world)
    world.db.restore(empty)

    assert complete(world) == {SERVER: "ready"}
    assert world.row()["status"] == "ready"


def test_time_to_ready_is_from_the_newest_required_account(world: World, figured: Figured) -> None:
    world.now = NOW - 30
    world.see(account(GMAIL, at=5))
    world.account_table.record(account("ac_other", at=29))
    assert figured("TimeToReady") == []

    world.see(account(SLACK, at=20))

    assert figured("TimeToReady") == [10]


def test_time_to_ready_is_not_less_than_none(world: World, figured: Figured) -> None:
    world.now = NOW - 50
    world.see(account(GMAIL, at=5))
    world.see(account(SLACK, at=20))

    assert figured("TimeToReady") == [0]


def test_order_does_not_matter_and_older_facts_change_nothing(world: World) -> None:
    world.see(account(GMAIL, at=20))
    world.see(account(GMAIL, status="EXPIRED", at=10))

    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_account_that_expired_is_missing_again(world: World) -> None:
    world.see(account(GMAIL, at=10))
    world.see(account(GMAIL, status="EXPIRED", at=20))

    assert world.see(account(SLACK)) == {SERVER: "waiting"}
    assert world.upstream.creates == 0


@pytest.mark.parametrize("order", ["active first", "active last"])
def test_active_stands_among_facts_of_the_same_time(world: World, order: str) -> None:
    facts = [account(GMAIL), account(GMAIL, status="INITIATED")]
    for fact in facts if order == "active first" else reversed(facts):
        world.see(fact)

    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_auth_config_that_no_server_requires_is_not_recorded(world: World) -> None:
    seen = world.provisioning.handle_fact(account("ac_other"), deadline=world.now + 20)

    assert seen.ignored == "no enrolled MCP server requires the auth config"
    assert world.trips() == ([], 0)


def test_several_accounts_of_one_auth_config_count_once(world: World) -> None:
    world.see(account(GMAIL, id="ca_1"))
    world.see(account(GMAIL, id="ca_2"))
    world.see(account(GMAIL, id="ca_1", status="REVOKED", at=9))

    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_one_account_can_complete_several_servers() -> None:
    world = World(enrolled=None)
    world.upstream.servers = {"srv_a": [GMAIL], "srv_b": [GMAIL], "srv_c": [SLACK]}

    assert world.see(account(GMAIL)) == {"srv_a": "ready", "srv_b": "ready"}
    assert world.upstream.instances == {("srv_a", "user_1"), ("srv_b", "user_1")}


def test_nothing_is_created_while_no_server_is_enrolled() -> None:
    world = World(enrolled=())

    assert complete(world) == {}
    assert world.upstream.instances == set()


def test_conflict_is_success_and_adopts_the_record(world: World) -> None:
    world.upstream.instances = {(SERVER, "user_1"), (SERVER, "user_10")}

    assert complete(world) == {SERVER: "ready"}
    assert world.row()["record"]["instance_id"] == "user_1"


def test_conflict_is_success_even_if_the_record_cannot_be_read(world: World) -> None:
    def conflict_then_down(_: httpx.Request) -> httpx.Response:
        world.upstream.down = True
        return refusal(409, "exists")

    world.upstream.script.append(conflict_then_down)

    assert complete(world) == {SERVER: "ready"}
    assert "record" not in world.row()


def test_conflict_is_success_after_one_page_of_many_ids_that_contain_the_users(
    world: World,
) -> None:
    world.see(account(GMAIL))
    others = [world.upstream.record(SERVER, f"user_1{number}") for number in range(100)]
    page = httpx.Response(200, json={"instances": others, "total_pages": 70})
    world.upstream.script.append(refusal(409, "exists"))
    world.upstream.gets.extend([page] * 2)
    world.trips()

    assert world.see(account(SLACK)) == {SERVER: "ready"}
    assert [one.method for one in world.upstream.requests] == ["POST", "GET"]


def test_bad_request_that_means_exists_is_success(world: World) -> None:
    world.upstream.instances = {(SERVER, "user_1")}
    world.upstream.script.append(refusal(400, "any words"))

    assert complete(world) == {SERVER: "ready"}


@pytest.mark.parametrize("status", [400, 422])
def test_refusal_fails_with_all_that_composio_said(world: World, status: int) -> None:
    world.upstream.script.append(refusal(status, "no such thing"))

    assert complete(world) == {SERVER: "failed"}
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
    world.upstream.accounts["ca_slack"] = as_composio_has_it(account(SLACK))
    world.upstream.accounts["ca_gmail"] = as_composio_has_it(
        account(GMAIL, status="EXPIRED", at=30)
    )

    assert complete(world) == {SERVER: "waiting"}
    assert world.row()["missing"] == [GMAIL]
    assert world.see(account(SLACK, at=40)) == {SERVER: "waiting"}
    assert world.upstream.creates == 1

    assert world.see(account(GMAIL, at=50)) == {SERVER: "ready"}


def test_forbidden_withdraws_an_account_that_is_no_longer_there(world: World) -> None:
    world.upstream.script.append(refusal(403, "not all connected"))
    world.upstream.accounts["ca_slack"] = as_composio_has_it(account(SLACK))

    assert complete(world) == {SERVER: "waiting"}

    assert world.see(account(SLACK, at=40)) == {SERVER: "waiting"}
    assert world.see(account(GMAIL)) == {SERVER: "waiting"}
    assert world.upstream.creates == 1
    assert world.see(account(GMAIL, at=50)) == {SERVER: "ready"}


def test_forbidden_without_a_reason_retries_and_then_fails(world: World) -> None:
    for fact in (account(GMAIL), account(SLACK)):
        world.upstream.accounts[fact.id] = as_composio_has_it(fact)
    world.upstream.script.extend([refusal(403, "key lacks permission")] * 20)
    complete(world)
    seen = ["retrying"]
    while seen[-1] == "retrying":
        world.now += 1000
        seen.append(world.see(account(SLACK))[SERVER])

    assert seen == ["retrying"] * 7 + ["failed"]
    assert world.row()["last_error"]["message"] == "key lacks permission"


@pytest.mark.parametrize(
    "step",
    [
        refusal(500, "oops"),
        refusal(502, "down"),
        refusal(408, "slow"),
        httpx.ConnectError("no"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
    ],
)
def test_trouble_is_repeated_once_and_then_retried_later(world: World, step: Any) -> None:
    world.upstream.script.extend([step, step])

    assert complete(world) == {SERVER: "retrying"}
    assert world.upstream.creates == 2
    row = world.row()
    assert (row["due"], row["due_at"]) == ("due", world.now + 15)

    assert world.see(account(SLACK)) == {SERVER: "retrying"}
    world.now += 15
    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_one_short_trouble_is_not_even_seen(world: World) -> None:
    world.upstream.script.append(refusal(502, "oops"))

    assert complete(world) == {SERVER: "ready"}


def test_lost_answer_is_settled_by_the_conflict_on_the_next_try(world: World) -> None:
    def create_and_lose(_: httpx.Request) -> httpx.Response:
        world.upstream.instances.add((SERVER, "user_1"))
        raise httpx.ReadTimeout("lost")

    world.upstream.script.append(create_and_lose)

    assert complete(world) == {SERVER: "ready"}
    assert world.row()["record"]["instance_id"] == "user_1"


def test_no_repeat_is_begun_without_the_time_for_it(world: World) -> None:
    def slow(_: httpx.Request) -> httpx.Response:
        world.now += 18
        raise httpx.ReadTimeout("slow")

    world.upstream.script.append(slow)

    assert complete(world) == {SERVER: "retrying"}
    assert world.upstream.creates == 1


def test_rate_limit_waits_as_long_as_asked(world: World) -> None:
    limited = httpx.Response(
        429, json={"message": "Rate limit exceeded."}, headers={"retry-after": "77"}
    )
    world.upstream.script.append(limited)

    assert complete(world) == {SERVER: "retrying"}
    row = world.row()
    assert row["due_at"] == world.now + 77
    assert row["last_error"]["message"] == "Rate limit exceeded."


def test_rotated_api_key_is_fetched_and_the_call_repeated(world: World) -> None:
    def check(request: httpx.Request) -> httpx.Response:
        assert request.headers["x-api-key"] == "ak_new"
        return httpx.Response(201, json=world.upstream.record(SERVER, "user_1"))

    world.now += 11
    world.secrets.secret["composio_api_key"] = "ak_new"
    world.upstream.script.extend([refusal(401, "invalid key"), check])

    assert complete(world) == {SERVER: "ready"}


def test_rejected_api_key_loses_nothing(world: World) -> None:
    world.upstream.script.append(refusal(401, "invalid key"))

    assert complete(world) == {SERVER: "retrying"}
    assert world.row()["last_error"]["slug"] == "Slug_401"


def test_failed_instance_is_tried_again_for_news_but_not_for_a_repetition(world: World) -> None:
    world.upstream.script.append(refusal(422, "no"))
    complete(world)

    assert world.see(account(SLACK)) == {SERVER: "failed"}
    assert world.see(account(SLACK, at=30)) == {SERVER: "ready"}
    assert world.row()["attempts"] == 1
    assert "last_error" not in world.row()


def test_claim_of_the_dead_is_left_alone_until_its_lease_ends(world: World) -> None:
    world.upstream.script.append(die)
    with pytest.raises(Killed):
        complete(world)

    world.now += LEASE_SECONDS - 1
    assert world.see(account(SLACK)) == {SERVER: "creating"}
    world.now += 1
    assert world.see(account(SLACK)) == {SERVER: "ready"}
    assert world.row()["attempts"] == 2


def test_claim_lost_in_the_middle_is_not_settled(world: World) -> None:
    def take_over(_: httpx.Request) -> httpx.Response:
        world.now += LEASE_SECONDS
        assert world.see(account(SLACK)) == {SERVER: "ready"}
        return refusal(404, "too late")

    world.upstream.script.append(take_over)

    assert complete(world) == {SERVER: "creating"}
    assert world.row()["status"] == "ready"


def test_claim_that_cannot_be_stored_is_the_senders_to_repeat(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.see(account(GMAIL))
    with monkeypatch.context() as patch:
        patch.setattr(world.target_table, "claim", _throttled)
        with pytest.raises(ClientError):
            world.see(account(SLACK))

    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_what_fails_after_the_claim_is_no_failure_of_the_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.see(account(GMAIL))
    with monkeypatch.context() as patch:
        patch.setattr(world.target_table, "settle", _throttled)
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
    monkeypatch.setattr(world.catalog_table, "store_server", _throttled)

    assert world.see(account(GMAIL)) == {}
    assert world.trips()[0] == ["Query", "UpdateItem"]


def test_account_without_a_user_is_looked_up(world: World) -> None:
    world.upstream.accounts["ca_gmail"] = as_composio_has_it(account(GMAIL))

    seen = world.provisioning.handle_event(AccountEvent("ca_gmail", None), deadline=world.now + 20)

    assert [one.status for one in seen.outcomes] == [Status.WAITING]


@pytest.mark.parametrize("known", [True, False])
def test_account_whose_user_nobody_says_is_ignored(world: World, known: bool) -> None:
    if known:
        world.upstream.accounts["ca_gmail"] = as_composio_has_it(account(GMAIL)) | {"user_id": None}

    seen = world.provisioning.handle_event(AccountEvent("ca_gmail", None), deadline=world.now + 20)

    assert seen.ignored == "Composio does not say whose connected account it is"
    assert world.trips()[0] == []


def _throttled(*_: object, **__: object) -> None:
    raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")


HTML = httpx.Response(200, html="<title>Please wait</title>")


@pytest.mark.parametrize(
    "odd",
    [HTML, httpx.Response(200, json={}), httpx.Response(201, json={"id": "rec_1"})],
)
def test_success_without_a_record_of_this_user_is_looked_up(world: World, odd: Any) -> None:
    world.upstream.script.append(odd)
    assert complete(world) == {SERVER: "retrying"}

    world.now += 15
    world.provisioning.resume("user_1", TARGET, deadline=world.now + 20)

    assert world.row()["status"] == "ready"
    assert (SERVER, "user_1") in world.upstream.instances


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422])
def test_page_of_a_proxy_is_no_answer_of_composio(world: World, status: int) -> None:
    world.upstream.script.append(httpx.Response(status, html="<h1>Blocked</h1>"))

    assert complete(world) == {SERVER: "retrying"}


def test_forbidden_without_a_reason_is_counted_alone_and_in_a_row(world: World) -> None:
    for fact in (account(GMAIL), account(SLACK)):
        world.upstream.accounts[fact.id] = as_composio_has_it(fact)
    unavailable, forbidden = refusal(503, "down"), refusal(403, "not now")
    world.upstream.script.extend([unavailable] * 9 + [forbidden] * 7 + [unavailable, forbidden])
    complete(world)
    for _ in range(17):
        world.now += 1000
        assert world.see(account(SLACK)) == {SERVER: "retrying"}

    world.now += 1000
    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_one_forbidden_and_one_empty_list_withdraw_nothing(world: World) -> None:
    for fact in (account(GMAIL), account(SLACK)):
        world.upstream.accounts[fact.id] = as_composio_has_it(fact)
    world.upstream.script.append(refusal(403, "not all connected"))
    world.upstream.gets.append(httpx.Response(200, json={"items": []}))

    assert complete(world) == {SERVER: "retrying"}
    world.now += 15
    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_spurious_forbidden_leaves_the_facts_of_a_user_id_with_a_comma(world: World) -> None:
    user = "doe, jane"
    for fact in (account(GMAIL, user=user), account(SLACK, user=user)):
        shown = as_composio_has_it(fact)
        world.upstream.accounts[fact.id] = shown
    world.upstream.script.append(refusal(403, "not all connected"))
    world.upstream.gets.append(httpx.Response(200, json={"items": []}))
    world.see(account(GMAIL, user=user))

    assert world.see(account(SLACK, user=user)) == {SERVER: "retrying"}
    assert world.target_table.user(user)[0].active == {GMAIL, SLACK}


def test_auth_config_that_is_disabled_at_composio_corrects_the_facts(world: World) -> None:
    """The account's own time stays: ComposioHQ/composio issue 2455."""
    disabled = as_composio_has_it(account(GMAIL))
    disabled["auth_config"] = {"id": GMAIL, "is_disabled": True}
    world.upstream.accounts["ca_gmail"] = disabled
    world.upstream.accounts["ca_slack"] = as_composio_has_it(account(SLACK))
    world.upstream.script.append(refusal(403, "not all connected"))

    assert complete(world) == {SERVER: "waiting"}
    assert world.row()["missing"] == [GMAIL]
    assert world.target_table.user("user_1")[0].active == {SLACK}
    for _ in range(3):
        world.now += 100
        world.tick()
        assert world.see(account(GMAIL)) == {SERVER: "waiting"}
    assert world.upstream.creates == 1


def test_event_from_the_future_is_read_at_composio(world: World) -> None:
    future = account(GMAIL, status="EXPIRED")._replace(updated_at="2999-01-01T00:00:00.000000Z")
    world.upstream.accounts["ca_gmail"] = as_composio_has_it(account(GMAIL, at=1))
    world.see(account(SLACK))

    seen = world.provisioning.handle_event(
        AccountEvent("ca_gmail", future), deadline=world.now + 20
    )

    assert [one.status for one in seen.outcomes] == ["ready"]


def test_active_from_the_future_that_has_expired_is_created_once(world: World) -> None:
    future = "2999-01-01T00:00:00.000000Z"
    world.upstream.accounts["ca_slack"] = as_composio_has_it(account(SLACK))
    world.upstream.accounts["ca_gmail"] = as_composio_has_it(
        account(GMAIL, status="EXPIRED")._replace(updated_at=future)
    )

    def forbidden(_: httpx.Request) -> httpx.Response:
        world.now += 1
        return refusal(403, "not all connected")

    world.upstream.script.extend([forbidden] * 10)
    complete(world)
    for _ in range(20):
        world.now += 3600
        world.tick()
        world.provisioning.handle_event(
            AccountEvent("ca_gmail", account(GMAIL)._replace(updated_at=future)),
            deadline=world.now + 20,
        )

    assert world.row()["status"] == "waiting"
    assert world.upstream.creates == 1


def test_failed_is_tried_again_by_itself_and_told_once(world: World, counted: Counted) -> None:
    world.upstream.script.extend([refusal(422, "no")] * 4)
    complete(world)
    for hours in (1, 2, 4):
        world.now += hours * 3600
        world.tick()
        assert world.row()["status"] == "failed"
    world.now += 8 * 3600
    world.tick()

    assert world.row()["status"] == "ready"
    assert counted()["TargetFailed"] == 1


def test_news_whose_claim_was_lost_is_no_longer_needed_to_claim_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.upstream.script.append(refusal(422, "no"))
    complete(world)
    claim = world.target_table.claim
    monkeypatch.setattr(world.target_table, "claim", lost)
    with pytest.raises(ConnectionError):
        world.see(account(SLACK, at=9))
    monkeypatch.setattr(world.target_table, "claim", claim)

    assert world.see(account(SLACK, at=9)) == {SERVER: "ready"}


def test_one_server_whose_claim_is_lost_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = [f"srv_{letter}" for letter in "abc"]
    world = World(servers)
    world.upstream.servers = {one: [GMAIL] for one in servers}
    claim = world.target_table.claim

    def second_lost(user_id: str, server: Target, **given: Any) -> Any:
        return lost() if server.id == "srv_b" else claim(user_id, server, **given)

    monkeypatch.setattr(world.target_table, "claim", second_lost)
    with pytest.raises(ConnectionError):
        world.see(account(GMAIL))

    assert [world.row(server_id=one).get("status") for one in servers] == ["ready", None, "ready"]


def test_what_an_event_has_no_time_for_is_left_to_the_queue() -> None:
    servers = [f"srv_{number:02}" for number in range(60)]
    world = World(servers)
    world.upstream.servers = {one: [GMAIL] for one in servers}
    world.catalog.sync(deadline=world.now + 20)

    def slow(request: httpx.Request) -> httpx.Response:
        world.now += 0.35
        server_id = request.url.path.split("/")[5]
        return httpx.Response(201, json=world.upstream.record(server_id, "user_1"))

    world.upstream.script.extend([slow] * 60)
    began = world.now
    seen = world.see(account(GMAIL))

    assert world.now - began < 5
    assert set(seen.values()) == {"ready", "creating"}
    for _ in range(6):
        world.now += 120
        world.tick()
    assert {world.row(server_id=one)["status"] for one in servers} == {"ready"}


def test_log_does_not_name_the_user_in_composios_words(world: World, log: Log) -> None:
    user = "ada@example.invalid"
    said = refusal(422, f"no account of {user}")
    world.upstream.script.append(said)
    world.see(account(GMAIL, user=user))
    world.see(account(SLACK, user=user))
    world.upstream.gets.append(refusal(422, f"nothing of {user}"))
    world.sqs.put(
        {"detail": {"type": "composio.connected_account.expired", "data": {"id": "ca_1"}}}
    )
    world.work()

    assert {"target settled", "message failed"} <= {one["message"] for one in log.lines}
    assert "ada" not in log.text
    assert world.row(user)["last_error"]["message"] == f"no account of {user}"


def test_user_whom_only_the_event_names_is_proved_by_the_filtered_list(world: World) -> None:
    """Composio has announced that it will stop naming users in its answers."""
    listed = world.upstream._accounts

    def nameless(params: httpx.QueryParams) -> httpx.Response:
        items = [one | {"user_id": None} for one in listed(params).json()["items"]]
        return httpx.Response(200, json={"items": items, "next_cursor": None})

    world.see(account(SLACK))
    shown = as_composio_has_it(account(GMAIL))
    world.upstream.accounts["ca_gmail"] = shown
    world.upstream._accounts = nameless  # type: ignore[method-assign]
    world.upstream.gets.append(httpx.Response(200, json=shown | {"user_id": None}))

    named = AccountEvent("ca_gmail", None, "user_1")
    seen = world.provisioning.handle_event(named, deadline=world.now + 20)

    assert [one.status for one in seen.outcomes] == ["ready"]


def test_user_whom_only_the_event_names_and_composio_does_not_confirm_is_ignored(
    world: World,
) -> None:
    shown = as_composio_has_it(account(GMAIL, user="another"))
    world.upstream.accounts["ca_gmail"] = shown
    world.upstream.gets.append(httpx.Response(200, json=shown | {"user_id": None}))

    named = AccountEvent("ca_gmail", None, "user_1")
    seen = world.provisioning.handle_event(named, deadline=world.now + 20)

    assert seen.ignored
    assert world.target_table.user("user_1")[0].accounts == ()


@pytest.mark.parametrize("known", [True, False])
def test_account_that_an_event_only_names_is_believed_to_be_deleted_where_the_list_lacks_it_too(
    world: World, known: bool
) -> None:
    world.see(account(SLACK))
    if known:
        world.upstream.accounts["ca_gmail"] = as_composio_has_it(account(GMAIL))
    world.upstream.gets.append(refusal(404, "not found"))

    seen = world.provisioning.handle_event(AccountEvent("ca_gmail", None), deadline=world.now + 20)

    assert [one.status for one in seen.outcomes] == (["ready"] if known else [])
    assert bool(seen.ignored) is not known
