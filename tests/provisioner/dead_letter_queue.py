"""SQS with a queue and a dead-letter queue, as `provisioner dead-letters` uses them."""

from itertools import islice
from typing import Any

DUE = '{"task": "due", "user_id": "user_1", "target": "INSTANCE#srv_demo"}'


class DeadLetters:
    """The dead-letter queue holds `bodies`; receiving messages takes `seconds`."""

    def __init__(self, *bodies: str, seconds: float = 0.1) -> None:
        self.now = 0.0
        self.seconds = seconds
        self.bodies = {f"m{number}": body for number, body in enumerate(bodies)}
        self.visible_at = dict.fromkeys(self.bodies, 0.0)
        self.sent: list[str] = []
        self.refused = ""

    def monotonic(self) -> float:
        return self.now

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {"ApproximateNumberOfMessages": str(len(self.bodies))}}

    def receive_message(self, **request: Any) -> dict[str, Any]:
        assert request["QueueUrl"] == "dead"
        self.now += self.seconds
        visible = (one for one in self.bodies if self.visible_at[one] <= self.now)
        found = list(islice(visible, 10))
        for one in found:
            self.visible_at[one] = self.now + request["VisibilityTimeout"]
        messages = [
            {
                "MessageId": one,
                "ReceiptHandle": one,
                "Body": self.bodies[one],
                "Attributes": {"SentTimestamp": "1767225600000"},
            }
            for one in found
        ]
        return {"Messages": messages} if messages else {}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: list[Any]) -> None:  # noqa: N803
        assert QueueUrl == "dead"
        for entry in Entries:
            self.visible_at[entry["ReceiptHandle"]] = self.now + entry["VisibilityTimeout"]

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl == "dead"
        for entry in Entries:
            self.bodies.pop(entry["ReceiptHandle"], None)
        return {"Successful": Entries}

    def send_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl == "queue"
        assert sum(len(entry["MessageBody"]) for entry in Entries) <= 256 * 1024
        accepted = [entry for entry in Entries if entry["MessageBody"] != self.refused]
        self.sent += [entry["MessageBody"] for entry in accepted]
        return {"Successful": accepted}

    @property
    def all_visible(self) -> bool:
        return all(self.visible_at[one] <= self.now for one in self.bodies)
