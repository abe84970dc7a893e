"""The browser returns from Composio, and its query is not trusted."""

from typing import Any

import httpx
import pytest

from handler import callback
from tests.doubles import refusal
from tests.world import GMAIL, SLACK, World, account, as_composio_has_it


def has(world: World, auth_config: str, status: str = "ACTIVE", user: str = "user_1") -> str:
    fact = account(auth_config, id=f"ca_{user}_{auth_config}", status=status, user=user)
    world.upstream.accounts[fact.id] = as_composio_has_it(fact)
    return fact.id


def come_back(world: World, account_id: str, **query: str) -> dict[str, Any]:
    sent = {"status": "success", "connected_account_id": account_id, **query}
    return world.ask("GET", "/oauth/callback", query=sent)


def title(answer: dict[str, Any]) -> str:
    return str(answer["body"]).split("<h1>")[1].split("</h1>")[0]


def test_first_account_shows_what_is_connected_and_what_is_missing(world: World) -> None:
    answer = come_back(world, has(world, GMAIL))

    assert answer["statusCode"] == 200
    assert title(answer) == "Connected. Something is still missing"
    assert "<span>gmail</span><span>Connected</span>" in answer["body"]
    assert "<span>slack</span><span>Still missing</span>" in answer["body"]
    assert 'http-equiv="refresh"' in answer["body"]


def test_last_account_makes_the_instance_and_is_read_once_a_minute(world: World) -> None:
    come_back(world, has(world, GMAIL))

    account_id = has(world, SLACK)
    assert title(come_back(world, account_id)) == "You are all set"
    assert (world.row()["status"], world.upstream.creates) == ("ready", 1)
    world.upstream.requests.clear()
    for _ in range(5):
        assert title(come_back(world, account_id)) == "You are all set"
    assert world.upstream.requests == []


@pytest.mark.parametrize("both", [False, True])
def test_older_spelling_of_the_query_is_understood(world: World, both: bool) -> None:
    account_id = has(world, GMAIL)
    query = {"status": "success", "connectedAccountId": account_id, "appName": "gmail"}
    if both:
        query["connected_account_id"] = account_id

    assert world.ask("GET", "/oauth/callback", query=query)["statusCode"] == 200
    assert world.target_table.user("user_1")[0].active == {GMAIL}


def test_user_in_the_query_is_verified_even_if_composio_omits_user_ids(
    world: World,
) -> None:
    account_id = has(world, GMAIL)
    listed = world.upstream._accounts

    def nameless(params: httpx.QueryParams) -> httpx.Response:
        items = [
            {name: value for name, value in one.items() if name != "user_id"}
            for one in listed(params).json()["items"]
        ]
        return httpx.Response(200, json={"items": items})

    world.upstream._accounts = nameless  # type: ignore[method-assign]

    assert come_back(world, account_id, user_id="user_1")["statusCode"] == 200
    assert world.target_table.user("user_1")[0].active == {GMAIL}
    assert title(come_back(world, account_id, user_id="user_2")) == "This link is not valid"
    assert world.target_table.user("user_2")[0].accounts == ()


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"connected_account_id": ""},
        {"connected_account_id": "ca/../x"},
        {"connected_account_id": "x" * 129},
        {"connected_account_id": "ca_\u00e9"},
        {"connected_account_id": "ca_1", "connectedAccountId": "ca_2"},
        {"connected_account_id": "ca_1", "user_id": "x" * 1025},
        {"connected_account_id": "ca_1", "user_id": "\ud800" * 400},
    ],
)
def test_invalid_query_makes_no_call(world: World, query: dict[str, str]) -> None:
    answer = world.ask("GET", "/oauth/callback", query=query)

    assert answer["statusCode"] == 400
    assert title(answer) == "This link is not valid"
    assert world.upstream.requests == []


def test_unknown_id_is_looked_up_once_a_minute_and_nothing_is_written(world: World) -> None:
    world.trips()
    for _ in range(10):
        assert come_back(world, "ca_made_up", status="failed")["statusCode"] == 404
    assert len(world.upstream.requests) == 1
    assert world.trips() == ([], 0)

    world.now += 61
    come_back(world, "ca_made_up", status="failed")
    assert len(world.upstream.requests) == 1


def test_memory_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback, "MOST_REMEMBERED", 10)
    for number in range(20):
        come_back(world, f"ca_{number}")

    assert len(world.callback._memory) == 10


def test_lookups_of_unknown_ids_are_limited_and_known_users_wait_a_minute(world: World) -> None:
    for number in range(101):
        come_back(world, f"ca_{number}")
    assert len(world.upstream.requests) == 100
    # Somebody real is put off, not sent away; what is known is answered as ever.
    account_id = has(world, GMAIL)
    assert title(come_back(world, account_id)) == "Almost there"

    world.now += 61
    assert title(come_back(world, account_id)) == "Connected. Something is still missing"


@pytest.mark.parametrize("status", [400, 404, 503])
def test_lookups_of_unknown_ids_are_limited_whatever_composio_answers(
    world: World, status: int
) -> None:
    world.upstream.gets.extend([refusal(status, "no")] * 101)
    for number in range(101):
        come_back(world, f"ca_{number}")

    assert len(world.upstream.requests) <= 100


def test_failed_account_that_becomes_active_is_seen_at_once(world: World) -> None:
    account_id = has(world, GMAIL, "FAILED")
    assert title(come_back(world, account_id)) == "It was not connected"

    world.now += 2
    has(world, GMAIL)

    assert title(come_back(world, account_id)) == "Connected. Something is still missing"


def test_account_that_composio_does_not_know_yet_is_looked_up_again_soon(
    world: World,
) -> None:
    account_id = f"ca_user_1_{GMAIL}"
    for _ in range(10):
        assert title(come_back(world, account_id)) == "This link is not valid"
    assert len(world.upstream.requests) == 1

    world.now += 6
    has(world, GMAIL)

    assert title(come_back(world, account_id)) == "Connected. Something is still missing"


def test_user_is_not_ready_while_the_requirements_are_unknown() -> None:
    world = World()
    world.upstream.gets.append(httpx.Response(200, json=as_composio_has_it(account(GMAIL))))
    world.upstream.gets.extend([refusal(503, "down")] * 20)

    assert title(come_back(world, "ca_gmail")) == "Almost there"


def test_account_that_no_server_requires_is_only_connected(world: World) -> None:
    assert title(come_back(world, has(world, "ac_other"))) == "It is connected"


def test_pending_account_is_not_looked_up_on_every_request(world: World) -> None:
    account_id = has(world, GMAIL, "INITIATED")
    for _ in range(10):
        assert title(come_back(world, account_id)) == "Almost there"
    assert len(world.upstream.requests) == 4

    has(world, GMAIL)
    world.now += 6
    assert title(come_back(world, account_id)) == "Connected. Something is still missing"


@pytest.mark.parametrize("status", ["EXPIRED", "REVOKED", "FAILED", "INACTIVE"])
def test_success_that_composio_does_not_confirm_is_a_failure(world: World, status: str) -> None:
    come_back(world, has(world, GMAIL))

    answer = come_back(world, has(world, SLACK, status))

    assert title(answer) == "It was not connected"
    assert world.row() == {}


def test_account_that_becomes_active_within_seconds_is_waited_for(world: World) -> None:
    account_id = has(world, GMAIL, "INITIATED")
    nap = world.sleep

    def becomes_active(seconds: float) -> None:
        nap(seconds)
        has(world, GMAIL)

    world.callback.sleep = becomes_active

    assert title(come_back(world, account_id)) == "Connected. Something is still missing"


def test_account_that_stays_pending_is_left_to_the_sweep(world: World) -> None:
    began = world.now

    assert title(come_back(world, has(world, GMAIL, "INITIATED"))) == "Almost there"
    assert world.now - began == 3


def test_browser_tries_again_when_composio_does_not_answer(world: World) -> None:
    world.upstream.down = True

    assert title(come_back(world, "ca_1")) == "Almost there"


def test_browser_tries_again_when_nothing_can_be_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(world.account_table, "record", refuse)

    assert title(come_back(world, has(world, GMAIL))) == "Almost there"


def test_failed_instance_is_shown_as_not_ready(world: World) -> None:
    world.upstream.script.append(refusal(422, "no"))
    come_back(world, has(world, GMAIL))

    assert title(come_back(world, has(world, SLACK))) == "Connected, but not ready"
