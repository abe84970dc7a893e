"""Puts on the event bus what the table's stream says has been settled.

The stored outcome is the outbox: none is announced without being stored, and what could not be
announced comes again from the stream. Who listens may hear an outcome twice, with the same `id`.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from handler.clients import client
from handler.dynamodb import from_item
from handler.settings import Settings
from handler.target_table import target_from_row
from handler.targets import OUTCOMES, Kind, Status, TargetRow
from handler.telemetry import SERVICE, Metric, count, logger, metrics
from handler.urls import endpoint, mcp_url

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_events import EventBridgeClient

DETAIL_TYPES = {
    (kind, status): f"MCP {kind.title()} {status.title()}" for kind in Kind for status in OUTCOMES
}
BATCH = 10
"""PutEvents takes no more; the event source hands over no more, either."""


@dataclass(eq=False)
class Announcer:
    """Puts outcomes on the bus `bus_name`, through a boto3 client; `base_url` is Composio's."""

    client: "EventBridgeClient"
    bus_name: str
    base_url: str

    def announce(self, records: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the partial batch response to at most ten records of the stream."""
        told = [(record, entry) for record in records if (entry := self._readable(record))]
        if not told:
            return {"batchItemFailures": []}
        entries: Any = [entry for _, entry in told]
        # PutEvents says 200 even where it took nothing.
        results = zip(told, self.client.put_events(Entries=entries)["Entries"], strict=True)
        failed = [record for (record, _), result in results if "ErrorCode" in result]
        if failed:
            logger.error("outcomes not announced", number=len(failed))
        if taken := len(told) - len(failed):
            count(Metric.OUTCOME_ANNOUNCED, taken)
        return {
            "batchItemFailures": [
                {"itemIdentifier": record["dynamodb"]["SequenceNumber"]} for record in failed
            ]
        }

    def _readable(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            return self._entry(record)
        except (AttributeError, KeyError, TypeError, ValueError):
            # Another version may have written it: it must not hold up what comes after it.
            logger.exception("a record of the stream is not readable")
            count(Metric.OUTCOME_SKIPPED)
            return None

    def _entry(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        row = from_item(record["dynamodb"]["NewImage"])
        before = from_item(record["dynamodb"].get("OldImage", {}))
        if not _is_news(row, before):
            return None
        found = target_from_row(row)
        detail = {
            "id": found.claim_token,
            "user_id": found.user_id,
            **found.target.told,
            "status": found.status,
            "endpoint": self._endpoint(found) if found.status is Status.READY else None,
            "record": found.record,
            "error": found.last_error,
        }
        return {
            "Source": SERVICE,
            "DetailType": DETAIL_TYPES[found.target.kind, found.status],
            "Detail": json.dumps(detail),
            "EventBusName": self.bus_name,
        }

    def _endpoint(self, found: TargetRow) -> dict[str, str]:
        if found.target.kind is not Kind.INSTANCE:
            return endpoint(found.url)
        return endpoint(found.url or mcp_url(self.base_url, found.target.name), found.user_id)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], _: "LambdaContext") -> dict[str, Any]:
    """Announce one batch of the stream."""
    return _deployed().announce(event["Records"])


def _is_news(row: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether an outcome has just been stored; a failure that goes on is told once."""
    status = Status(row["status"])
    if status not in OUTCOMES or status == before.get("status"):
        return False
    tried_anew = row.get("tried") != row.get("tried_before")
    goes_on = "failed_at" in row and row["failed_at"] == before.get("failed_at")
    return status is Status.READY or tried_anew or not goes_on


@cache
def _deployed() -> Announcer:
    settings = Settings.from_environment(os.environ)
    return Announcer(client("events"), settings.bus_name, settings.composio_base_url)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:  # the init phase: a wrong setting is told at start
    _deployed()
