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


@dataclass(eq=False)
class Queue:
    """The queue at `url`, through a boto3 client."""

    client: "SQSClient"
    url: str

    def send(self, tasks: Iterable[Mapping[str, Any]]) -> None:
        """Send each task as a message; what the queue refuses is sent once more.

        Raises:
            ClientError: The queue refused some of them again. All the others are sent.
        """
        refused: dict[str, str] = {}
        for batch in _batches(json.dumps(task) for task in tasks):
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

    def _refused(self, bodies: Sequence[str]) -> dict[str, str]:
        """Send a batch, and return what the queue refused of it, each with its code."""
        answer = self.client.send_message_batch(
            QueueUrl=self.url,
            Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)],
        )
        return {bodies[int(one["Id"])]: one.get("Code", "") for one in answer.get("Failed", ())}


def _batches(bodies: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for body in bodies:
        # `json.dumps` writes ASCII: a character is a byte.
        full = len(batch) == BATCH or sum(map(len, batch)) + len(body) > MOST_BYTES
        if batch and full:
            yield batch
            batch = []
        batch.append(body)
    if batch:
        yield batch
