"""A fake EventBridge bus, and the stream records that the announcer receives."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from handler.announcer import Announcer
from handler.targets import OUTCOMES
from tests.world import World

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


@dataclass
class FakeBus:
    """A bus that refuses the entries at these positions."""

    refuses: set[int] = field(default_factory=set)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        results: list[dict[str, str]] = []
        for place, entry in enumerate(Entries):
            if place in self.refuses:
                results.append({"ErrorCode": "ThrottlingException"})
            else:
                self.entries.append(entry)
                results.append({"EventId": "1"})
        return {"FailedEntryCount": len(self.refuses), "Entries": results}


def records(world: World) -> list[dict[str, Any]]:
    """Return the stream records that pass the filter of the event source."""
    found = []
    for number, (old, new) in enumerate(world.db.stream):
        if new and new.get("status", {}).get("S") in OUTCOMES:
            image = {"NewImage": new, "SequenceNumber": str(number)}
            found.append({"dynamodb": image | ({"OldImage": old} if old else {})})
    return found


def announce(bus: FakeBus, told: list[dict[str, Any]]) -> list[str]:
    announcer = Announcer(cast("EventBridgeClient", bus), "bus", "https://composio.invalid")
    return [one["itemIdentifier"] for one in announcer.announce(told)["batchItemFailures"]]
