"""Hears what the deployed application tells on its bus."""

import json
import time
from typing import Any

import boto3

from local.emulated_stack import Stack

_LISTENER = "listener"


class Ear:
    """A rule on the bus, and a queue of what it lets through."""

    def __init__(self, stack: Stack) -> None:
        self._bus = stack.bus_name
        self._sqs = boto3.client("sqs", **stack.connection)
        self._events = boto3.client("events", **stack.connection)
        self._url = ""

    def close(self) -> None:
        """Close the connections."""
        self._sqs.close()
        self._events.close()

    def listen(self, pattern: str) -> None:
        """From here on hear what the pattern takes of the bus."""
        self._url = self._sqs.create_queue(QueueName=f"{_LISTENER}-{time.time_ns()}")["QueueUrl"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        self._events.put_rule(Name=_LISTENER, EventBusName=self._bus, EventPattern=pattern)
        target: Any = {"Id": "queue", "Arn": answer["Attributes"]["QueueArn"]}
        self._events.put_targets(Rule=_LISTENER, EventBusName=self._bus, Targets=[target])

    def heard(self) -> list[dict[str, Any]]:
        """Return the events that were heard since it was last asked."""
        found = []
        while told := self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages"):
            for message in told:
                found.append(json.loads(message["Body"]))
                receipt = message["ReceiptHandle"]
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)
        return found
