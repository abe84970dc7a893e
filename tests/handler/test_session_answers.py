"""What becomes of a session by Composio's answer to the call that creates it."""

import json

import httpx
import pytest

from handler.answers import answer
from handler.decisions import MAX_FORBIDDEN
from handler.targets import Kind, Status
from tests.doubles import Counted, Killed, Log, die, refusal
from tests.handler.sessions import RECORD, SESSION, URL, complete, session_world
from tests.world import SLACK, World, account


@pytest.fixture
def world() -> World:
    return session_world()


@pytest.mark.parametrize(
    ("said", "status", "left_over"),
    [
        (refusal(400, "unknown toolkit"), Status.FAILED, 0),
        (refusal(401, "no key"), Status.RETRYING, 0),
        (refusal(403, "the key may not"), Status.RETRYING, 0),
        (refusal(404, "no such route"), Status.FAILED, 0),
        (refusal(409, "odd"), Status.RETRYING, 0),
        (refusal(410, "gone"), Status.FAILED, 0),
        (refusal(429, "slow down"), Status.RETRYING, 0),
        (refusal(503, "down"), Status.RETRYING, 1),
        (httpx.Response(201, json={"session_id": "trs_x"}), Status.RETRYING, 1),
        (httpx.Response(201, json={"session_id": "t", "mcp": {"url": "no"}}), Status.RETRYING, 1),
        (httpx.Response(400, text="<html>"), Status.RETRYING, 0),
    ],
    ids=lambda one: str(getattr(one, "status_code", one)),
)
def test_answer_decides_like_that_of_an_instance(
    world: World, counted: Counted, said: httpx.Response, status: Status, left_over: int
) -> None:
    world.connect()
    world.upstream.script.append(said)

    assert complete(world) == status

    assert counted().get("SessionsLeftOver", 0) == left_over
    world.now += 4000
    world.tick()
    row = world.row(target=SESSION)
    assert (row["status"], row["record"]) == ("ready", RECORD)


def test_creating_ends_when_every_answer_is_unreadable(world: World, counted: Counted) -> None:
    unreadable = httpx.Response(201, json={"session_id": "trs_x"})
    world.upstream.script.extend([unreadable] * MAX_FORBIDDEN)
    complete(world)
    while world.row(target=SESSION)["status"] == "retrying":
        world.now += 1000
        world.tick()

    assert world.row(target=SESSION)["status"] == "failed"
    assert counted()["SessionsLeftOver"] == MAX_FORBIDDEN


@pytest.mark.parametrize(
    ("version", "stored"), [(None, None), ("2", None), (10**40, None), ([], None), (3, 3)]
)
def test_unreadable_version_does_not_cost_a_session(version: object, stored: int | None) -> None:
    mcp = {"url": URL}
    content = {"session_id": "trs_1", "config_version": version, "mcp": mcp, "warnings": []}

    read = answer(201, {}, json.dumps(content).encode(), Kind.SESSION)

    assert (read.record, read.url) == ({"session_id": "trs_1", "config_version": stored}, URL)


@pytest.mark.parametrize("lost", [refusal(500, "oh"), httpx.ReadTimeout("lost")])
def test_call_without_an_answer_is_repeated_and_counted_as_left_over(
    world: World, counted: Counted, log: Log, lost: httpx.Response | Exception
) -> None:
    def make_and_lose(request: httpx.Request) -> httpx.Response:
        world.upstream.make_session(json.loads(request.content))
        if isinstance(lost, Exception):
            raise lost
        return lost

    world.upstream.script.append(make_and_lose)

    assert complete(world) == Status.READY

    assert world.row(target=SESSION)["record"]["session_id"] == "trs_2"
    assert counted()["SessionsLeftOver"] == 1
    assert "a session may be left over" in log.text


def kill(world: World) -> None:
    world.upstream.script.append(die)
    with pytest.raises(Killed):
        complete(world)


def test_killed_call_is_repeated_after_its_lease_and_counted_as_left_over(
    world: World, counted: Counted
) -> None:
    kill(world)
    assert world.see(account(SLACK, at=1)) == {"work": "creating"}

    world.now += 60
    world.tick()

    assert world.row(target=SESSION)["status"] == "ready"
    assert (len(world.upstream.router_sessions), counted()["SessionsLeftOver"]) == (1, 1)


def test_session_of_a_lost_claim_is_logged(world: World, counted: Counted, log: Log) -> None:
    def outlive_the_lease(request: httpx.Request) -> httpx.Response:
        world.now += 60
        world.tick()
        return httpx.Response(201, json=world.upstream.make_session(json.loads(request.content)))

    world.upstream.script.append(outlive_the_lease)

    complete(world)

    assert world.row(target=SESSION)["record"]["session_id"] == "trs_1"
    (line,) = [one for one in log.lines if one.get("known", {}).get("session_id")]
    assert line["known"]["session_id"] == "trs_2"
    assert counted()["SessionsLeftOver"] == 2
