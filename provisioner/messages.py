"""Sends messages to the stack's queue, in batches that SQS takes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from handler.queue import BATCH
from provisioner.stack import Stack

MOST_BYTES = 256 * 1024
"""Of a batch, and of one message: since August 2025 SQS takes more, but not of each queue."""


def batches[Item](items: Iterable[tuple[Item, str]]) -> Iterator[list[tuple[Item, str]]]:
    """Yield (item, body of its message) in batches that SQS takes."""
    batch, total = list[tuple[Item, str]](), 0
    for item, body in items:
        size = len(body.encode())
        if batch and (len(batch) == BATCH or total + size > MOST_BYTES):
            yield batch
            batch, total = [], 0
        batch.append((item, body))
        total += size
    if batch:
        yield batch


def send[Item](stack: Stack, batch: Sequence[tuple[Item, str]]) -> list[Item]:
    """Send one batch, and return the items that the queue has accepted."""
    entries: Any = [{"Id": str(n), "MessageBody": body} for n, (_, body) in enumerate(batch)]
    answer = stack.sqs.send_message_batch(QueueUrl=stack.outputs["QueueUrl"], Entries=entries)
    accepted = {int(one["Id"]) for one in answer.get("Successful", ())}
    return [item for number, (item, _) in enumerate(batch) if number in accepted]
