"""Events match the schemas and patterns of docs/events.md."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handler.announcer import DETAIL_TYPES
from handler.events import ACCOUNT_EVENTS, parse
from handler.telemetry import SERVICE
from provisioner.events_command import outcome
from tests.docs.events_doc import (
    DOC,
    IN_PATTERN,
    OUT_PATTERN,
    SAMPLES,
    SCHEMAS,
    outcome_schema,
    schema_name,
    schema_of,
)
from tests.doubles import refusal
from tests.fakes.event_bus import FakeBus, announce, records
from tests.template.sam_template import TEMPLATE
from tests.world import GMAIL, SERVER, SLACK, World, account


def delivered(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of PutEvents as EventBridge delivers it."""
    return {
        "version": "0",
        "id": "00000000-0000-4000-8000-000000000000",
        "source": entry["Source"],
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail-type": entry["DetailType"],
        "detail": json.loads(entry["Detail"]),
    }


def ready(world: World) -> None:
    world.see(account(SLACK))


def there_already(world: World) -> None:
    world.upstream.instances.add((SERVER, "user_1"))
    world.see(account(SLACK))


def refused(world: World) -> None:
    world.upstream.script.append(refusal(422, "no"))
    world.see(account(SLACK))


def test_the_page_links_exactly_the_schemas() -> None:
    linked = re.findall(r"\(events/([\w-]+)\.schema\.json\)", DOC)
    assert set(linked) == set(SCHEMAS)


@pytest.mark.parametrize("detail_type", sorted(set(DETAIL_TYPES.values())))
def test_every_detail_type_has_a_schema_and_a_sample_and_is_in_the_pattern(
    detail_type: str,
) -> None:
    schema = outcome_schema(detail_type)
    assert f"| `{detail_type}` |" in DOC
    assert json.loads(SCHEMAS[schema_name(detail_type)].read_text())["title"] == detail_type
    (sample,) = [one for one in SAMPLES if one["detail-type"] == detail_type]
    schema.validate(sample)
    assert detail_type in OUT_PATTERN["detail-type"]


def test_the_pattern_to_copy_matches_exactly_the_outcomes() -> None:
    told = [*dict.fromkeys(DETAIL_TYPES.values())]
    assert {"source": [SERVICE], "detail-type": told} == OUT_PATTERN


def test_provisioner_events_shows_user_and_target_of_each_sample() -> None:
    samples = [one for one in SAMPLES if one["detail-type"] in OUT_PATTERN["detail-type"]]
    lines = [outcome(one).split("  ")[1:4] for one in samples]
    targets = [("ready", "srv_demo"), ("failed", "srv_demo"), ("ready", "work"), ("failed", "work")]
    assert lines == [[status, "user_1", target] for status, target in targets]


def test_the_rule_is_the_one_that_is_deployed() -> None:
    deployed = TEMPLATE["Resources"]["AccountRule"]["Properties"]["EventPattern"]
    assert deployed["detail"] == IN_PATTERN["detail"]
    assert deployed["source"] == IN_PATTERN["source"] == [{"anything-but": [SERVICE]}]


@pytest.mark.parametrize("end", [ready, there_already, refused])
def test_an_announced_outcome_matches_its_schema(end: Callable[[World], None]) -> None:
    world, bus = World(), FakeBus()
    world.see(account(GMAIL))
    end(world)
    assert announce(bus, records(world)) == []
    (entry,) = bus.entries
    event = delivered(entry)
    outcome_schema(event["detail-type"]).validate(event)
    schema = json.loads(SCHEMAS[schema_name(event["detail-type"])].read_text())
    assert list(schema["properties"]["detail"]["properties"]) == list(event["detail"])
    others = set(DETAIL_TYPES.values()) - {event["detail-type"]}
    assert not any(outcome_schema(other).is_valid(event) for other in others)


@pytest.mark.parametrize(
    "name",
    [
        "connected", "connected-second", "expired", "named-in-data", "named-in-metadata",
        "without-user",
    ],
)  # fmt: skip
def test_a_webhook_body_matches_the_schema(name: str) -> None:
    body = json.loads(Path(f"events/{name}.json").read_text())["body"]
    schema_of("connected-account").validate(json.loads(body))


def test_the_event_of_the_bus_matches_the_schema_and_the_rule() -> None:
    event = json.loads(Path("events/bus.json").read_text())
    schema_of("connected-account").validate(event["detail"])
    assert event["detail"]["type"].startswith(ACCOUNT_EVENTS)
    assert event["source"] != SERVICE


@pytest.mark.parametrize(
    "change",
    [
        {"data": {}},
        {"data": None},
        {"data": {"id": "a b"}},
        {"data": {"user_id": "user_1"}, "metadata": {"user_id": "user_1"}},
        {"data": {"id": "ca_1", "user_id": 7}},
        {"data": {"id": "ca_1", "user_id": ""}},
        {"data": {"id": "ca_1", "auth_config": {}}},
        {"data": {"id": "ca_1", "status": "ACTIVE!"}},
        {"data": {"id": "ca_1", "is_disabled": "no"}},
    ],
    ids=json.dumps,
)
def test_the_code_refuses_what_the_schema_refuses(change: dict[str, Any]) -> None:
    event = json.loads(Path("events/bus.json").read_text())["detail"] | change
    assert not schema_of("connected-account").is_valid(event)
    with pytest.raises(ValueError, match="data"):
        parse(json.dumps(event))


@pytest.mark.parametrize("name", ["user_id", "auth_config", "status", "is_disabled", "updated_at"])
@pytest.mark.parametrize("gone", [True, False], ids=["missing", "null"])
def test_the_code_does_without_what_the_schema_makes_optional(name: str, gone: bool) -> None:
    event = json.loads(Path("events/bus.json").read_text())["detail"]
    event["data"][name] = None
    if gone:
        del event["data"][name]
    schema_of("connected-account").validate(event)
    parse(json.dumps(event))
