"""The one queue: what must be done soon, as messages."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10
"""SendMessageBatch takes no more messages."""

MOST_BYTES = 262_144
"""And no more in all: what every queue accepts, however it is set."""

type Message = tuple[str, int]
"""A body, and the seconds after which it is delivered."""


@dataclass(eq=False)
class Queue:
    """The queue at `url`, through a boto3 client."""

    client: "SQSClient"
    url: str

    def send(self, tasks: Iterable[Mapping[str, Any]], *, delays: Sequence[int] = (0,)) -> None:
        """Send each task as a message; what the queue refuses is sent once more.

        Args:
            tasks: What is to be done.
            delays: Seconds, at most 900: each task is sent once for each of them.

        Raises:
            ClientError: The queue refused some of them again. All the others are sent.
        """
        refused: dict[Message, str] = {}
        for batch in _batches((json.dumps(task), delay) for task in tasks for delay in delays):
            if again := self._refused(batch):
                refused |= self._refused([*again])
        if refused:
            code, message = next(iter(refused.values())), f"{len(refused)} not sent"
            raise ClientError({"Error": {"Code": code, "Message": message}}, "SendMessageBatch")

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

    def _refused(self, messages: Sequence[Message]) -> dict[Message, str]:
        """Send a batch, and return what the queue refused of it, each with its code."""
        answer = self.client.send_message_batch(
            QueueUrl=self.url,
            Entries=[
                {"Id": str(number), "MessageBody": body, "DelaySeconds": delay}
                for number, (body, delay) in enumerate(messages)
            ],
        )
        return {messages[int(one["Id"])]: one.get("Code", "") for one in answer.get("Failed", ())}


def _batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    batch: list[Message] = []
    for message in messages:
        # `json.dumps` writes ASCII: a character is a byte.
        size = len(message[0]) + sum(len(body) for body, _ in batch)
        if batch and (len(batch) == BATCH or size > MOST_BYTES):
            yield batch
            batch = []
        batch.append(message)
    if batch:
        yield batch
