"""The one queue: what must be done soon, as messages."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10
"""SendMessageBatch takes no more."""


@dataclass(eq=False)
class Queue:
    """The queue at `url`, through a boto3 client."""

    client: "SQSClient"
    url: str

    def send(self, tasks: Iterable[Mapping[str, Any]]) -> int:
        """Send each task as a message, and return how many were accepted."""
        sent = 0
        for batch in batched(tasks, BATCH, strict=False):
            answer = self.client.send_message_batch(
                QueueUrl=self.url,
                Entries=[
                    {"Id": str(number), "MessageBody": json.dumps(task)}
                    for number, task in enumerate(batch)
                ],
            )
            sent += len(answer.get("Successful", ()))
        return sent

    def depth(self) -> int:
        """Return about how many messages there are, also those being worked on or delayed."""
        answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        prefix = "ApproximateNumberOfMessages"
        return sum(int(n) for name, n in answer["Attributes"].items() if name.startswith(prefix))

    def postpone(self, receipt: str, seconds: int) -> None:
        """Let a message that failed come back after so many seconds."""
        self.client.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=receipt, VisibilityTimeout=seconds
        )
