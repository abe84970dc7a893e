"""The asynchronous entry point: the messages that it handles, and those that fail."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doubles import Counted
from tests.world import GMAIL, SLACK, TARGET, World, account

BUS_EVENT = json.loads(Path("events/bus.json").read_text())


@pytest.fixture
def world() -> World:
    return World()


def bus_event(**data: Any) -> dict[str, Any]:
    detail = {**BUS_EVENT["detail"], "data": BUS_EVENT["detail"]["data"] | data}
    return {**BUS_EVENT, "detail": detail}


BUS_EVENT_OF_SLACK = bus_event(id="ca_slack1", auth_config={"id": SLACK})


def test_event_of_the_bus_is_handled_like_any_other(world: World) -> None:
    world.sqs.put(BUS_EVENT)
    world.sqs.put(BUS_EVENT_OF_SLACK)

    assert world.work() == []
    assert world.row()["status"] == "ready"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        "[" * 100_000,
        "[]",
        "7",
        "{}",
        '{"task": "dance"}',
        '{"task": "due", "user_id": 7, "target": "INSTANCE#srv"}',
        '{"task": "recent", "token": 7}',
        '{"task": "account", "account_id": "ca_1"}',
        '{"detail": {}}',
        '{"detail": {"type": "composio.connected_account.activated", "data": {}}}',
    ],
)
def test_unreadable_message_fails_and_does_not_block_the_others(world: World, body: str) -> None:
    world.sqs.put(BUS_EVENT)
    poison = world.sqs.put(body)
    world.sqs.put(BUS_EVENT_OF_SLACK)

    assert world.work() == [poison]
    assert world.row()["status"] == "ready"
    assert world.sqs.postponed == [(f"receipt of {poison}", 1)]


def test_value_error_of_a_library_does_not_count_as_an_unreadable_message(
    world: World, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def invalid(*_: object, **__: object) -> None:
        raise ValueError("of some library")

    monkeypatch.setattr(world.db, "update_item", invalid)
    world.sqs.put(BUS_EVENT, receives=3)

    assert len(world.work()) == 1
    assert [seconds for _, seconds in world.sqs.postponed] == [60]
    assert "EventMalformed" not in counted()


def test_event_of_another_type_is_ignored(world: World) -> None:
    world.sqs.put({"detail": {"type": "composio.trigger.message", "data": {}}})

    assert world.work() == []
    assert world.trips() == ([], 0)


def test_failed_message_is_retried_later_each_time(world: World) -> None:
    world.upstream.down = True
    for receives in (1, 2, 3, 20):
        world.sqs.put(bus_event(user_id=None), receives)

    assert len(world.work()) == 4
    assert [seconds for _, seconds in world.sqs.postponed] == [15, 30, 60, 900]


def test_message_waits_as_long_as_composio_asks(world: World) -> None:
    world.upstream.gets.append(httpx.Response(429, headers={"retry-after": "77"}))
    world.sqs.put(bus_event(user_id=None))

    assert len(world.work()) == 1
    assert world.sqs.postponed[0][1] == 77


def test_message_that_cannot_be_postponed_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(world.sqs, "change_message_visibility", refuse)
    poison = world.sqs.put("poison")

    assert world.work() == [poison]


def test_slow_message_leaves_time_for_the_others(world: World) -> None:
    world.see(account(GMAIL))
    world.see(account(GMAIL, user="user_2"))
    spent = []

    def slow(request: httpx.Request) -> httpx.Response:
        timeout = request.extensions["timeout"]["read"]
        spent.append(timeout)
        world.now += timeout
        raise httpx.ReadTimeout("slow")

    world.upstream.script.extend([slow] * 4)
    for user in ("user_1", "user_2"):
        world.sqs.put(bus_event(id="ca_slack", auth_config={"id": SLACK}, user_id=user))
    world.work(seconds=15)

    assert all(seconds >= 1 for seconds in spent)
    assert world.row("user_1")["status"] == world.row("user_2")["status"] == "retrying"
    assert sum(spent) <= 12


def test_message_for_an_unknown_user_does_not_fail(world: World) -> None:
    world.sqs.put({"task": "due", "user_id": "nobody", "target": TARGET.sort_key})

    assert world.work() == []
