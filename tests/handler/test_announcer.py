"""Every outcome that is stored is announced on the bus, and no other."""

import json
from typing import Any

import pytest

from handler.telemetry import SERVICE
from tests.doubles import Counted, refusal
from tests.fakes.event_bus import FakeBus, announce, records
from tests.world import GMAIL, SERVER, SLACK, World, account


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus()


def test_ready_instance_is_announced_with_its_record(world: World, bus: FakeBus) -> None:
    world.complete()

    assert announce(bus, records(world)) == []
    (entry,) = bus.entries
    assert (entry["Source"], entry["DetailType"], entry["EventBusName"]) == (
        SERVICE,
        "MCP Instance Ready",
        "bus",
    )
    assert json.loads(entry["Detail"]) == {
        "id": world.row()["claim_token"],
        "user_id": "user_1",
        "kind": "instance",
        "server_id": SERVER,
        "status": "ready",
        "endpoint": {
            "url": f"https://composio.invalid/v3/mcp/{SERVER}?user_id=user_1",
            "transport": "streamable_http",
            "header": "x-api-key",
        },
        "record": world.upstream.record(SERVER, "user_1"),
        "error": None,
    }


def test_each_new_failure_is_announced_with_the_reason(world: World, bus: FakeBus) -> None:
    world.upstream.script.extend([refusal(422, "no")] * 2)
    world.complete()
    world.see(account(SLACK, at=9))

    assert announce(bus, records(world)) == []
    assert [entry["DetailType"] for entry in bus.entries] == ["MCP Instance Failed"] * 2
    first, second = (json.loads(entry["Detail"]) for entry in bus.entries)
    assert (first["error"]["message"], first["error"]["status"]) == ("no", 422)
    assert first["endpoint"] is None
    assert first["id"] != second["id"]


def test_failure_that_goes_on_is_announced_once(world: World, bus: FakeBus) -> None:
    world.upstream.script.extend([refusal(422, "no")] * 3)
    world.complete()
    for hours in (1, 2, 4):
        world.now += hours * 3600
        world.tick()

    assert announce(bus, records(world)) == []
    told = [entry["DetailType"] for entry in bus.entries]
    assert told == ["MCP Instance Failed", "MCP Instance Ready"]


@pytest.mark.parametrize(
    "odd", [{"status": {"S": "paused"}}, {"status": {"S": "ready"}, "sk": {"BOOL": True}}]
)
def test_unreadable_record_does_not_hold_up_the_others(
    world: World, bus: FakeBus, counted: Counted, odd: dict[str, Any]
) -> None:
    world.complete()
    (good,) = records(world)
    image = good["dynamodb"]["NewImage"] | odd
    bad = {"dynamodb": {"NewImage": image, "SequenceNumber": "0"}}

    assert announce(bus, [bad, good]) == []
    assert [entry["DetailType"] for entry in bus.entries] == ["MCP Instance Ready"]
    assert counted()["OutcomeSkipped"] == 1


def test_endpoint_has_the_url_that_composio_gave_for_the_server(bus: FakeBus) -> None:
    world = World()
    world.upstream.urls[SERVER] = "https://mcp.invalid/demo?transport=mcp"
    world.complete("a/b")
    announce(bus, records(world))

    told = json.loads(bus.entries[0]["Detail"])["endpoint"]
    assert told["url"] == "https://mcp.invalid/demo?transport=mcp&user_id=a%2Fb"


def test_instance_that_an_older_version_claimed_has_an_endpoint(world: World, bus: FakeBus) -> None:
    world.complete()
    (record,) = records(world)
    del record["dynamodb"]["NewImage"]["url"]
    announce(bus, [record])

    told = json.loads(bus.entries[0]["Detail"])["endpoint"]
    assert told["url"] == f"https://composio.invalid/v3/mcp/{SERVER}?user_id=user_1"


def test_change_that_leaves_the_outcome_is_not_announced(world: World, bus: FakeBus) -> None:
    world.complete()
    (record,) = records(world)
    record["dynamodb"]["OldImage"] = record["dynamodb"]["NewImage"]

    assert announce(bus, [record]) == []
    assert bus.entries == []


def test_what_the_bus_did_not_take_comes_again(bus: FakeBus) -> None:
    world = World(enrolled=None)
    world.upstream.servers = {f"srv_{number}": [GMAIL] for number in range(5)}
    world.see(account(GMAIL))
    told = records(world)
    bus.refuses = {1, 3}

    again = announce(bus, told)

    assert again == [told[1]["dynamodb"]["SequenceNumber"], told[3]["dynamodb"]["SequenceNumber"]]
    assert len(bus.entries) == 3
