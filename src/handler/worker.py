"""The asynchronous entry point: handles the messages of the queue, and returns which failed.

| message | from |
|---|---|
| an event of the bus, its `detail` Composio's V3 envelope | the bus's rule |
| `{"task": "sweep"}` | the schedule, each minute |
| `{"task": "due", "user_id", "target"}` | the sweep; `target` is a sort key |
| `{"task": "watch", "user_id", "account_id"}` | a connect session, for each link that it makes |
| `{"task": "more_due", "token"}` | the sweep, behind what is due |
| `{"task": "recent", "token"}` | the sweep, to itself |
| `{"task": "backfill", "target", "token"}` | the sweep, to itself; no token at first |
| `{"task": "account", "account_id", "user_id"}` | the sweep, about an account that it set aside |

What fails comes back later each time, and goes to the dead-letter queue after its receives.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from handler import services
from handler.account_walk import Turn
from handler.decisions import SETTLE_SECONDS, delay
from handler.events import AccountEvent, NotAnEnvelope, read
from handler.provisioning import Provisioning
from handler.queue import Queue
from handler.services import Services
from handler.sweep import Sweep
from handler.targets import TargetId
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
    clock: Callable[[], float]

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
            self._understood(record["body"])(deadline=deadline)
        except NotAnEnvelope:
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

    def _understood(self, body: str) -> Callable[..., object]:
        """Return what a message asks for: a call that takes the `deadline`.

        Raises:
            NotAnEnvelope: It is none of ours, and no later time changes that.
        """
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            raise NotAnEnvelope("the message is not JSON") from None
        match message:
            case {"task": "sweep"}:
                return self.sweep.run
            case {"task": "due", "user_id": str(user_id), "target": str(target)}:
                return partial(self.provisioning.resume, user_id, _target(target))
            case {"task": "watch", "user_id": str(user_id), "account_id": str(account_id)}:
                return partial(self.provisioning.watch, user_id, account_id)
            case {"task": "backfill", "target": str(target)}:
                return partial(self.sweep.backfill, _target(target), str(message.get("token", "")))
            case {"task": "more_due", "token": str(token)}:
                return partial(self.sweep.more_due, token)
            case {"task": "recent", "token": str(token)}:
                return partial(self.sweep.recent, token)
            case {"task": "account", "account_id": str(account_id), "user_id": str(user_id)}:
                event = AccountEvent(account_id, None, user_id)
                return partial(self.provisioning.handle_event, event)
            case {"detail": dict(detail)}:
                count(Metric.EVENT_RECEIVED)
                return partial(self.provisioning.handle_event, read(detail))
        raise NotAnEnvelope("neither a task nor an event of the bus")

    def _postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        try:
            self.queue.postpone(record["receiptHandle"], seconds)
        except Exception:  # noqa: BLE001 - it then comes back after the queue's own time
            logger.exception("the message could not be postponed")


def wire(given: Services) -> Worker:
    """Return the entry point over these services."""
    clock, queue, provisioning = given.sources.clock, given.queue, given.provisioning
    turn = partial(Turn, given.composio, provisioning, queue, clock)
    token = given.sources.token
    sweep = Sweep(given.target_table, given.walk_table, given.catalog, queue, turn, clock, token)
    return Worker(provisioning, sweep, queue, clock)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Work off one batch of the queue."""
    return _deployed().work(event["Records"], seconds=context.get_remaining_time_in_millis() / 1000)


def _target(sort_key: str) -> TargetId:
    try:
        return TargetId.of(sort_key)
    except ValueError:
        raise NotAnEnvelope("the message names no target") from None


@cache
def _deployed() -> Worker:
    return wire(services.deployed())


if "AWS_LAMBDA_RUNTIME_API" in os.environ:  # the init phase: a wrong setting is told at start
    _deployed()
