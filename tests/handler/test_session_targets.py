"""Sessions are created like instances, from a session profile in place of an MCP server."""

import json

import httpx
import pytest

from handler.catalog import FRESH_SECONDS
from handler.targets import Kind, Status, TargetId, session_profile
from tests.doubles import Counted, Killed, die, refusal
from tests.fakes.event_bus import FakeBus, announce, records
from tests.handler.sessions import RECORD, SESSION, URL, complete, session_world
from tests.world import GMAIL, NOW, PROFILE, SLACK, World, account

ENDPOINT = {"url": URL, "transport": "streamable_http", "header": "x-api-key"}


@pytest.fixture
def world() -> World:
    return session_world()


def test_complete_user_gets_a_session_of_the_profile(world: World) -> None:
    assert world.see(account(GMAIL)) == {"work": "waiting"}
    assert world.see(account(SLACK)) == {"work": "ready"}

    assert world.upstream.router_sessions == {
        "trs_1": {
            "user_id": "user_1",
            "toolkits": {"enable": ["gmail", "slack"]},
            "auth_configs": {"gmail": GMAIL, "slack": SLACK},
            "preload": {"tools": "all"},
        }
    }
    row = world.row(target=SESSION)
    assert (row["status"], row["record"], row["url"]) == ("ready", RECORD, URL)
    assert world.see(account(SLACK, at=1)) == {"work": "ready"}
    assert len(world.upstream.router_sessions) == 1


def test_session_is_shown_and_announced_with_its_endpoint(world: World) -> None:
    complete(world)
    bus = FakeBus()

    shown = world.ask("GET", "/users/{user_id}", pathParameters={"user_id": "user_1"})
    announce(bus, records(world))

    told = json.loads(shown["body"])["targets"][1]
    assert (told["kind"], told["profile"], told["status"]) == ("session", "work", "ready")
    assert (told["record"], told["endpoint"]) == (RECORD, ENDPOINT)
    (entry,) = bus.entries
    detail = json.loads(entry["Detail"])
    assert entry["DetailType"] == "MCP Session Ready"
    assert (detail["kind"], detail["profile"], detail["endpoint"]) == ("session", "work", ENDPOINT)


def kill(world: World) -> None:
    world.upstream.script.append(die)
    with pytest.raises(Killed):
        complete(world)


def test_new_profile_is_back_filled_beside_an_mcp_server() -> None:
    world = World()
    users = [f"user_{number}" for number in range(3)]
    for user in users:
        world.connect(user, created=NOW - 10**6)
    world.minutes(2)
    assert world.ready == set(users)

    world.catalog_table.store_profile(PROFILE, backfill_at=int(world.now) + 60)
    world.minutes(4)

    assert {world.row(user, target=SESSION)["status"] for user in users} == {"ready"}
    assert sorted(one["user_id"] for one in world.upstream.router_sessions.values()) == users
    assert list(world.walk_table.walks()) == []


def test_sessions_are_created_after_the_sunset_of_mcp_servers(world: World) -> None:
    world.upstream.page = 2
    served = world.upstream._v3

    def sunset(request: httpx.Request, parts: list[str]) -> httpx.Response:
        return refusal(410, "gone") if parts[0] == "mcp" else served(request, parts)

    world.upstream._v3 = sunset  # type: ignore[method-assign]
    world.now += FRESH_SECONDS
    users = [f"user_{number}" for number in range(5)]
    for user in users:
        world.connect(user, created=NOW - 9999)
    world.walk_table.request_backfill(SESSION, at=int(world.now))
    world.minutes(4)

    assert sorted(one["user_id"] for one in world.upstream.router_sessions.values()) == users
    assert list(world.walk_table.walks()) == []


def test_new_profile_is_not_gone_for_an_outdated_catalog_in_memory(
    world: World,
) -> None:
    complete(world)
    new = PROFILE._replace(id="new")
    world.catalog_table.store_profile(new, backfill_at=int(world.now) + 60)

    world.sqs.put({"task": "due", "user_id": "user_1", "target": new.key.sort_key})
    world.work()

    assert world.row(target=new.key)["status"] == "ready"


def test_failed_session_is_retried_at_once_when_its_profile_has_changed(world: World) -> None:
    world.upstream.script.append(refusal(400, "unknown field"))
    assert complete(world) == Status.FAILED
    mended = session_profile("work", PROFILE.toolkits, {"preload": {"tools": []}})
    world.catalog_table.store_profile(mended, backfill_at=int(world.now))
    world.now += 61

    assert world.see(account(SLACK, at=1)) == {"work": "ready"}
    assert world.upstream.router_sessions["trs_1"]["preload"] == {"tools": []}


def test_session_of_a_deleted_profile_fails_with_the_reason(world: World, counted: Counted) -> None:
    kill(world)
    world.db.delete_item(
        TableName="table", Key={"pk": {"S": "CATALOG"}, "sk": {"S": "PROFILE#work"}}
    )
    world.now += 61
    world.tick()

    assert counted()["SessionsLeftOver"] == 1
    assert "session profile does not exist" in world.row(target=SESSION)["last_error"]["message"]


@pytest.mark.parametrize("message", [{"target": "ROOM#work"}, {"target": 7}, {}])
def test_message_that_names_no_target_fails(world: World, message: dict[str, object]) -> None:
    sent = world.sqs.put({"task": "due", "user_id": "nobody"} | message)
    assert world.work() == [sent]


@pytest.mark.parametrize("kind", Kind)
def test_sort_key_is_read_as_it_was_written(kind: Kind) -> None:
    key = TargetId(kind, "a#b")
    assert TargetId.of(key.sort_key) == key


def refreshed(world: World) -> tuple[int, dict[str, object]]:
    answer = world.ask("POST", "/users/{user_id}/refresh", pathParameters={"user_id": "user_1"})
    if answer["statusCode"] != 200:
        return answer["statusCode"], {}
    return 200, json.loads(answer["body"])["targets"][1]


def test_refresh_replaces_a_session_that_composio_no_longer_knows(world: World) -> None:
    world.connect()
    complete(world)
    assert refreshed(world)[1]["record"] == RECORD

    lost = world.upstream.router_sessions.pop("trs_1")
    world.upstream.router_sessions["trs_of_another"] = lost
    status, told = refreshed(world)

    assert (status, told["status"]) == (200, "ready")
    assert told["record"] == RECORD | {"session_id": "trs_2"}


@pytest.mark.parametrize("answer", [refusal(500, "oh"), httpx.Response(404, text="<html>")])
def test_session_is_kept_when_the_answer_proves_nothing(
    world: World, answer: httpx.Response
) -> None:
    complete(world)
    nothing = httpx.Response(200, json={"items": []})
    world.upstream.gets.extend([nothing, answer, answer])

    assert refreshed(world)[0] == 503
    assert world.row(target=SESSION)["record"] == RECORD
