"""What the stack is doing: the messages in its queues, and its last sweep."""

from typing import NamedTuple

from handler.walk_table import RECENT, SWEEP
from provisioner.stack import Stack


class Swept(NamedTuple):
    """What the sweep has done last, in seconds before now."""

    began: int
    """When the last pass began that reached its end."""
    active: int
    """When a pass was last active; less than 0 while one is."""


def swept(stack: Stack, now: float) -> Swept | None:
    """Return what the sweep has done last, seen at this Unix time; None before its first pass."""
    for row in stack.table.partition(SWEEP):
        if row["sk"] != RECENT or "read_until" not in row:
            continue
        began = int(row["read_until"])
        return Swept(int(now) - began, int(now) - max(began, row.get("lease_until", 0)))
    return None


def waiting_messages(stack: Stack, output: str) -> int:
    """Return about how many messages of a queue (the output with its URL) can be received."""
    answer = stack.sqs.get_queue_attributes(
        QueueUrl=stack.outputs[output], AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])
