"""Behind the scene of the demo: outages at Composio, the sweep, who hears the bus."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3

from local import messages
from local.show import rows
from local.simulator.client import Simulator
from local.stack import Stack
from local.timeline import Timeline

_LISTENER = "demo-listener"
_PATTERN = '{"source": ["mcp-provisioner"]}'
_SECONDS = 40.0
_POLL = 0.1


class Backstage:
    """What its people do not do themselves."""

    def __init__(self, timeline: Timeline, stack: Stack, simulator: Simulator) -> None:
        self._timeline = timeline
        self._stack = stack
        self._simulator = simulator
        self._sqs = boto3.client("sqs", **stack.connection)
        self._heard: list[tuple[str, str, str]] = []
        self._ear = self._listen()

    def close(self) -> None:
        """Close the connections."""
        self._sqs.close()

    def break_composio(self) -> None:
        """Let create-instance fail from now on."""
        self._timeline.say("Composio", "breaks down: create-instance answers 503", "red")
        self._simulator.add_fault(
            method="POST", path="*/instances", status=503, message="Service Unavailable", times=None
        )

    def mend_composio(self) -> None:
        """Let it work again."""
        self._simulator.clear_faults()
        self._timeline.say("Composio", "is up again", "green")

    @contextlib.contextmanager
    def no_events(self) -> Iterator[None]:
        """Let Composio send no event for as long as the context lasts."""
        self._simulator.switch(webhooks=False)
        try:
            yield
        finally:
            self._simulator.switch(webhooks=True)

    def sweep(self) -> None:
        """Send the schedule's message, as each minute."""
        self._timeline.say("schedule", "sends: sweep (each minute; sent early, not to keep you)")
        messages.sweep(self._stack)

    def wait_until_due(self, user_id: str) -> None:
        """Wait until the back-off of the user's instance has passed."""
        due_at = max((int(row["due_at"]) for row in self._instances(user_id)), default=0)
        with self._timeline.step("table", f"{user_id}'s instance is due in a few seconds"):
            # A whole second more: the table's times have no fractions.
            time.sleep(max(0.0, due_at + 1 - time.time()))

    def wait_until_ready(self, user_id: str) -> None:
        """Wait until the worker has made the user's instance; how it ended is judged later."""
        with self._timeline.step("worker", f"works on {user_id}"):
            self._poll(lambda: any(row["status"] == "ready" for row in self._instances(user_id)))

    def outcomes(self, user_id: str) -> list[str]:
        """Wait for the first outcome of the user's on the bus, and list all that were heard."""
        self._poll(lambda: self._hear(user_id))
        found = {(token, kind) for user, token, kind in self._heard if user == user_id}
        return sorted(kind for _, kind in found)

    def _instances(self, user_id: str) -> list[dict[str, Any]]:
        return [row for row in rows(self._stack, user_id) if "status" in row]

    def _hear(self, user_id: str) -> bool:
        while told := self._sqs.receive_message(
            QueueUrl=self._ear, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages"):
            for message in told:
                event = json.loads(message["Body"])
                detail = event["detail"]
                self._heard.append((detail["user_id"], detail["id"], event["detail-type"]))
                self._sqs.delete_message(QueueUrl=self._ear, ReceiptHandle=message["ReceiptHandle"])
        return any(user == user_id for user, _, _ in self._heard)

    def _listen(self) -> str:
        """Make a rule on the bus, and a queue that hears what it lets through."""
        url: str = self._sqs.create_queue(QueueName=_LISTENER)["QueueUrl"]
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        bus = boto3.client("events", **self._stack.connection)
        where = self._stack.bus_name
        bus.put_rule(Name=_LISTENER, EventBusName=where, EventPattern=_PATTERN)
        bus.put_targets(
            Rule=_LISTENER,
            EventBusName=where,
            Targets=[{"Id": "queue", "Arn": answer["Attributes"]["QueueArn"]}],
        )
        return url

    @staticmethod
    def _poll(true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SECONDS
        while not true():
            if time.monotonic() > deadline:
                return
            time.sleep(_POLL)
