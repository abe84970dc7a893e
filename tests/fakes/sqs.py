"""A queue in memory, as boto3's client hands it out."""

import json
from dataclasses import dataclass, field
from itertools import count as numbers
from typing import Any


@dataclass
class FakeSqs:
    """A queue whose messages `World.work` takes; `World.later` delivers the `delayed` ones."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    delayed: list[tuple[int, str]] = field(default_factory=list)
    postponed: list[tuple[str, int]] = field(default_factory=list)
    backlog: int = 0
    _ids: Any = field(default_factory=lambda: numbers(1))

    def tasks(self, name: str) -> list[dict[str, Any]]:
        """Return what was sent of one kind of task."""
        return [task for task in self.sent if task["task"] == name]

    def put(self, body: object, receives: int = 1) -> str:
        """Add a message as the worker gets it, and return its id."""
        message_id = f"message-{next(self._ids)}"
        self.messages.append(
            {
                "messageId": message_id,
                "receiptHandle": f"receipt of {message_id}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": str(receives)},
            }
        )
        return message_id

    def send_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl == "queue"
        assert 1 <= len(Entries) <= 10
        for entry in Entries:
            self.sent.append(json.loads(entry["MessageBody"]))
            if delay := entry.get("DelaySeconds", 0):
                assert 0 < delay <= 900
                self.delayed.append((delay, entry["MessageBody"]))
            else:
                self.put(entry["MessageBody"])
        return {"Successful": Entries}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        half = str(self.backlog // 2)
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": half,
                "ApproximateNumberOfMessagesNotVisible": half,
                "ApproximateNumberOfMessagesDelayed": "0",
                "VisibilityTimeout": "180",
            }
        }

    def change_message_visibility(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        ReceiptHandle: str,  # noqa: N803
        VisibilityTimeout: int,  # noqa: N803
    ) -> None:
        assert QueueUrl == "queue"
        self.postponed.append((ReceiptHandle, VisibilityTimeout))
