"""The application asks for the status of a user."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.doubles import refusal
from tests.world import GMAIL, SERVER, SLACK, World, account, as_composio_has_it, refuse_writes


def show(world: World, user_id: str = "user_1", **more: Any) -> dict[str, Any]:
    return world.ask("GET", "/users/{user_id}", pathParameters={"user_id": user_id}, **more)


def refresh(world: World, user_id: str = "user_1") -> dict[str, Any]:
    path = {"user_id": user_id}
    return world.ask("POST", "/users/{user_id}/refresh", pathParameters=path)


def test_waiting_user_is_shown_with_the_missing_accounts(world: World) -> None:
    world.see(account(GMAIL))
    world.trips()

    answer = show(world)

    assert json.loads(answer["body"]) == {
        "user_id": "user_1",
        "accounts": [
            {
                "id": "ca_gmail",
                "auth_config_id": GMAIL,
                "status": "ACTIVE",
                "is_disabled": False,
                "updated_at": "2025-12-31T23:59:00.000000Z",
            }
        ],
        "targets": [
            {
                "kind": "instance",
                "server_id": SERVER,
                "status": "waiting",
                "missing": [{"auth_config_id": SLACK, "toolkit": "slack"}],
                "attempts": 0,
                "next_attempt_at": None,
                "last_error": None,
                "endpoint": None,
                "record": None,
            }
        ],
    }
    assert world.trips()[0] == ["Query"]


def test_ready_user_is_shown_with_the_record(world: World) -> None:
    world.see(account(GMAIL))
    world.see(account(SLACK))

    (server,) = json.loads(show(world)["body"])["targets"]

    assert (server["status"], server["missing"], server["attempts"]) == ("ready", [], 1)
    assert server["record"] == world.upstream.record(SERVER, "user_1")
    assert server["endpoint"] == {
        "url": f"https://composio.invalid/v3/mcp/{SERVER}?user_id=user_1",
        "transport": "streamable_http",
        "header": "x-api-key",
    }


@pytest.mark.parametrize("said", [None, 7, "http://mcp.invalid/x", "not a URL"])
def test_invalid_or_missing_url_is_replaced_by_the_documented_one(said: object) -> None:
    world = World()
    world.upstream.urls[SERVER] = said
    world.see(account(GMAIL))
    world.see(account(SLACK))

    (server,) = json.loads(show(world)["body"])["targets"]

    assert server["endpoint"]["url"] == f"https://composio.invalid/v3/mcp/{SERVER}?user_id=user_1"


def test_endpoint_follows_a_server_that_moves(world: World) -> None:
    world.see(account(GMAIL))
    world.see(account(SLACK))
    world.upstream.urls[SERVER] = "https://moved.invalid/demo"
    world.now += 600
    world.catalog.sync(deadline=world.now + 20)

    (server,) = json.loads(show(world)["body"])["targets"]

    assert server["endpoint"]["url"] == "https://moved.invalid/demo?user_id=user_1"


def test_retrying_user_is_shown_with_the_next_attempt_and_the_last_error(world: World) -> None:
    world.upstream.script.extend([refusal(503, "down")] * 2)
    world.see(account(GMAIL))
    world.see(account(SLACK))

    (server,) = json.loads(show(world)["body"])["targets"]

    assert server["status"] == "retrying"
    assert server["next_attempt_at"] == world.now + 15
    assert (server["last_error"]["message"], server["last_error"]["status"]) == ("down", 503)


def test_unchanged_status_is_not_sent_again(world: World) -> None:
    world.see(account(GMAIL))
    tag = show(world)["headers"]["etag"]

    again = show(world, multiValueHeaders={"If-None-Match": [tag]})
    assert (again["statusCode"], again["body"]) == (304, "")
    world.see(account(SLACK))
    assert show(world, multiValueHeaders={"If-None-Match": [tag]})["statusCode"] == 200


def test_new_user_waits_for_everything_at_every_server() -> None:
    world = World(enrolled=None)
    world.upstream.servers["srv_other"] = ["ac_unnamed"]
    world.tick()
    world.trips()

    told = json.loads(show(world, "nobody")["body"])

    assert told["accounts"] == []
    assert {one["server_id"]: (one["status"], one["missing"]) for one in told["targets"]} == {
        SERVER: (
            "waiting",
            [
                {"auth_config_id": GMAIL, "toolkit": "gmail"},
                {"auth_config_id": SLACK, "toolkit": "slack"},
            ],
        ),
        "srv_other": ("waiting", [{"auth_config_id": "ac_unnamed", "toolkit": None}]),
    }
    assert world.trips() == (["Query"], 0)


def test_status_is_unavailable_while_the_requirements_are_unknown() -> None:
    world = World()
    world.upstream.down = True

    assert show(world)["statusCode"] == 503


def test_project_without_servers_needs_nothing() -> None:
    world = World(enrolled=None)
    world.upstream.servers = {}

    assert json.loads(show(world)["body"])["targets"] == []


@pytest.mark.parametrize("user_id", ["", "x" * 1025, "%ff"])
def test_invalid_user_id_is_refused(world: World, user_id: str) -> None:
    assert show(world, user_id)["statusCode"] == 400


@pytest.mark.parametrize("user_id", ["a/b", "50%", "%41", "a+b", "a b", "\U0001f600", "#?&="])
def test_user_id_in_the_path_is_decoded_once(world: World, user_id: str) -> None:
    world.see(account(GMAIL, user=user_id))

    answer = show(world, quote(user_id, safe=""))

    assert json.loads(answer["body"])["user_id"] == user_id


def test_refresh_reads_composio_and_creates_the_instance(world: World) -> None:
    for auth_config in (GMAIL, SLACK):
        fact = account(auth_config)
        world.upstream.accounts[fact.id] = as_composio_has_it(fact)

    answer = refresh(world)

    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["targets"][0]["status"] == "ready"


def test_refresh_does_not_wait_for_many_instances() -> None:
    servers = {f"srv_{number:02}": f"ac_{number:02}" for number in range(20)}
    world = World(servers)
    world.upstream.servers = {server: [required] for server, required in servers.items()}
    for one in servers.values():
        fact = account(one)
        world.upstream.accounts[fact.id] = as_composio_has_it(fact)
    world.catalog.sync(deadline=world.now + 20)

    def slow(request: httpx.Request) -> httpx.Response:
        world.now += 1
        record = world.upstream.record(request.url.path.split("/")[5], "user_1")
        return httpx.Response(201, json=record)

    world.upstream.script.extend([slow] * 20)
    began = world.now
    answer = refresh(world)

    assert world.now - began < 5
    assert {one["status"] for one in json.loads(answer["body"])["targets"]} == {"ready", "waiting"}
    for _ in range(6):
        world.now += 120
        world.tick()
    assert {world.row(server_id=one)["status"] for one in servers} == {"ready"}


def test_refresh_is_unavailable_when_composio_does_not_answer(world: World) -> None:
    world.upstream.gets.append(httpx.Response(500))

    answer = refresh(world)

    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"]


def test_refresh_of_a_new_user_finds_nothing(world: World) -> None:
    assert json.loads(refresh(world, "nobody")["body"])["accounts"] == []


def test_refresh_continues_after_an_account_that_cannot_be_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (account(GMAIL, id="ca_bad"), account(GMAIL), account(SLACK)):
        world.upstream.accounts[one.id] = as_composio_has_it(one)
    refuse_writes(world, monkeypatch, "ca_bad")

    assert refresh(world)["statusCode"] == 503
    assert world.row()["status"] == "ready"
