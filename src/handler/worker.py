"""The asynchronous door: messages of the queue come in, the ids of those that failed go out.

| message | from |
|---|---|
| an event of the bus, its `detail` Composio's V3 envelope | the bus's rule |
| `{"task": "sweep"}` | the schedule, each minute |
| `{"task": "due", "user_id", "server_id"}` | the sweep |
| `{"task": "recent", "cursor", "floor", "until"}` | the sweep, to itself |
| `{"task": "backfill", "server_id"}` | the sweep, to itself |

What fails comes back later each time, and goes to the dead-letter queue after its receives.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from handler import bootstrap
from handler.clients import client
from handler.decisions import SETTLE_SECONDS, delay
from handler.events import NotAnEnvelope, read
from handler.provisioning import Provisioning
from handler.sweep import Sweep
from handler.tasks import Queue
from handler.telemetry import Metric, count, logger, metrics
from handler.transport import Unavailable

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@dataclass(eq=False)
class Worker:
    """Works off messages; `clock` is Unix seconds."""

    provisioning: Provisioning
    sweep: Sweep
    queue: Queue
    clock: Callable[[], float] = time.time

    def work(self, records: list[dict[str, Any]], *, seconds: float) -> dict[str, Any]:
        """Return the partial batch response to SQS records, within so many seconds.

        Each message has its share of the time that is left, so that none starves the others.
        """
        end = self.clock() + seconds - SETTLE_SECONDS
        failed = []
        for done, record in enumerate(records):
            share = (end - self.clock()) / (len(records) - done)
            if not self._survives(record, self.clock() + share):
                failed.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failed}

    def _survives(self, record: Mapping[str, Any], deadline: float) -> bool:
        logger.set_correlation_id(record["messageId"])
        logger.remove_keys(["account_id", "user_id"])
        try:
            self._take(json.loads(record["body"]), deadline)
        except (ValueError, RecursionError):
            logger.exception("message not understood")
            count(Metric.EVENT_MALFORMED)
            self._postpone(record, 1)
        except Exception as error:  # noqa: BLE001 - the message comes back
            logger.exception("message failed")
            asked = error.problem.retry_after if isinstance(error, Unavailable) else None
            receives = int(record["attributes"]["ApproximateReceiveCount"])
            self._postpone(record, max(delay(receives, jitter=1), int(asked or 0)))
        else:
            return True
        return False

    def _take(self, message: object, deadline: float) -> None:
        match message:
            case {"task": "sweep"}:
                self.sweep.run(deadline=deadline)
            case {"task": "due", "user_id": str(user_id), "server_id": str(server_id)}:
                self.provisioning.finish(user_id, server_id, deadline=deadline)
            case {"task": "backfill", "server_id": str(server_id)}:
                self.sweep.backfill(server_id, deadline=deadline)
            case {"task": "recent", "cursor": str(cursor), "floor": int(floor), "until": int(til)}:
                self.sweep.read_recent(cursor, floor=floor, until=til, deadline=deadline)
            case {"detail": dict(detail)}:
                count(Metric.EVENT_RECEIVED)
                self.provisioning.take(read(detail), deadline=deadline)
            case _:
                raise NotAnEnvelope("neither a task nor an event of the bus")

    def _postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        try:
            self.queue.postpone(record["receiptHandle"], seconds)
        except Exception:  # noqa: BLE001 - it then comes back after the queue's own time
            logger.exception("the message could not be postponed")


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Work off one batch of the queue."""
    return _door().work(event["Records"], seconds=context.get_remaining_time_in_millis() / 1000)


@cache
def _door() -> Worker:
    at = bootstrap.rooms()
    queue = Queue(client("sqs"), at.settings.queue_url)
    sweep = Sweep(at.bookmarks, at.composio, at.catalog, at.provisioning, queue)
    return Worker(at.provisioning, sweep, queue)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:  # the init phase: a wrong setting is told at start
    _door()
