"""What the demo reads from the deployed stack: its table, and the outcomes on its bus."""

import json
import time
from collections.abc import Callable
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

from local.emulated_stack import Stack

_QUEUE = "demo-outcomes"
_PATTERN = '{"source": ["mcp-provisioner"]}'
_SECONDS = 40.0
_POLL = 0.1


class Observer:
    """Reads a stack; from its construction on it receives every outcome event."""

    def __init__(self, stack: Stack) -> None:
        self._table = boto3.resource("dynamodb", **stack.connection).Table(stack.table_name)
        self._sqs = boto3.client("sqs", **stack.connection)
        self._outcomes: dict[str, dict[str, Any]] = {}
        self._queue_url = self._sqs.create_queue(QueueName=_QUEUE)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(
            QueueUrl=self._queue_url, AttributeNames=["QueueArn"]
        )["Attributes"]
        events, bus = boto3.client("events", **stack.connection), stack.bus_name
        events.put_rule(Name=_QUEUE, EventBusName=bus, EventPattern=_PATTERN)
        target: Any = {"Id": "queue", "Arn": attributes["QueueArn"]}
        events.put_targets(Rule=_QUEUE, EventBusName=bus, Targets=[target])

    def accounts(self, user_id: str) -> list[dict[str, Any]]:
        """Return what is stored of the user's connected accounts."""
        return [
            account
            for row in self._rows(user_id)
            for name, account in row.items()
            if name.startswith("account#")
        ]

    def targets(self, user_id: str) -> list[dict[str, Any]]:
        """Return the rows of the user's instances and sessions."""
        return [row for row in self._rows(user_id) if "status" in row]

    def wait_until_due(self, user_id: str) -> None:
        """Wait until the user's instance may be tried again."""
        due_at = max((int(row["due_at"]) for row in self.targets(user_id)), default=0)
        # One second more, because the table's times have no fractions.
        time.sleep(max(0.0, due_at + 1 - time.time()))

    def wait_until_ready(self, user_id: str) -> None:
        """Wait until the user's instance is ready, or for 40 seconds."""
        _wait(lambda: any(row["status"] == "ready" for row in self.targets(user_id)))

    def advance_backfill(self, profile: str) -> None:
        """Store that the back-fill of a session profile may begin now."""
        self._table.update_item(
            Key={"pk": "SWEEP", "sk": f"BACKFILL#SESSION#{profile}"},
            UpdateExpression="SET lease_until = :now",
            ExpressionAttributeValues={":now": int(time.time())},
        )

    def outcomes(self, user_id: str, many: int) -> list[str]:
        """Wait for this many outcome events of the user, and return the types of all of them."""
        _wait(lambda: len(self._received(user_id)) >= many)
        return sorted(event["detail-type"] for event in self._received(user_id))

    def endpoint(self, user_id: str, kind: str) -> str:
        """Return the URL of the user's instance or session, as its outcome event names it."""

        def urls() -> list[str]:
            told = (event["detail"] for event in self._received(user_id))
            return [str(each["endpoint"]["url"]) for each in told if each["kind"] == kind]

        _wait(lambda: bool(urls()))
        return urls()[0]

    def _rows(self, user_id: str) -> list[dict[str, Any]]:
        whose = Key("pk").eq(f"USER#{user_id}")
        found = self._table.query(KeyConditionExpression=whose, ConsistentRead=True)
        return [dict(row) for row in found["Items"]]

    def _received(self, user_id: str) -> list[dict[str, Any]]:
        while messages := self._sqs.receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages"):
            for message in messages:
                event = json.loads(message["Body"])
                # An outcome may be delivered more than once; its id stays the same.
                self._outcomes[event["detail"]["id"]] = event
                self._sqs.delete_message(
                    QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"]
                )
        events = self._outcomes.values()
        return [event for event in events if event["detail"]["user_id"] == user_id]


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(_POLL)
