"""The messages of the dead-letter queue. Reading one hides it from everybody for a while."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched
from typing import Any

from handler.events import NotAnEnvelope, read
from handler.queue import BATCH
from handler.targets import TargetId
from provisioner import interrupt, messages
from provisioner.stack import THREADS, Stack

HIDDEN_SECONDS = 600
"""How long a message that was received is hidden, unless it is given back before."""

TASKS: Mapping[str, tuple[str, ...]] = {
    "sweep": (),
    "due": ("user_id", "target"),
    "watch": ("user_id", "account_id"),
    "more_due": ("token",),
    "recent": ("token",),
    "backfill": ("target",),
    "account": ("account_id", "user_id"),
}
"""The worker's tasks, and what each has to name."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message; `sent_at` is Unix milliseconds, `receipt` is needed to delete it."""

    id: str
    kind: str
    understood: bool
    """Whether the worker can do anything with it."""
    sent_at: int
    body: str
    receipt: str


def kind(body: str) -> tuple[str, bool]:
    """Return what a message is, and whether the worker understands it.

    The answer says nothing about the user.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return "not JSON", False
    match content:
        case {"task": str(task)}:
            understood = _is_whole(task, content)
            return f"{'' if understood else 'malformed '}task {task}", understood
        case {"detail": {"type": str(name)} as detail}:
            try:
                read(detail)
            except NotAnEnvelope:
                return f"malformed event {name}", False
            return f"event {name}", True
        case _:
            return "neither a task nor an event", False


def _is_whole(task: str, content: Mapping[str, Any]) -> bool:
    named = TASKS.get(task)
    if named is None or not all(isinstance(content.get(name), str) for name in named):
        return False
    try:
        return "target" not in named or bool(TargetId.of(content["target"]))
    except ValueError:
        return False


@contextmanager
def received(stack: Stack) -> Iterator[Iterator[list[DeadLetter]]]:
    """Receive the messages in batches; afterwards give back those that are still there.

    It ends before the first of them come back, so it does not reach the end of a very long queue.
    """
    held: list[DeadLetter] = []
    try:
        yield _batches(stack, held)
    finally:
        with interrupt.cleanup():
            _give_back(stack, held)


def delete(stack: Stack, letters: Sequence[DeadLetter]) -> int:
    """Delete messages that were received, and return how many were there."""
    number = 0
    for batch in batched(letters, BATCH, strict=False):
        entries: Any = _entries(batch)
        answer = stack.sqs.delete_message_batch(QueueUrl=_url(stack), Entries=entries)
        number += len(answer.get("Successful", ()))
    return number


def redrive(stack: Stack, letters: Sequence[DeadLetter]) -> int:
    """Send messages to the queue again, and return how many it has accepted.

    Each is deleted after it is sent. If it ends in between, both are handled, which is harmless.
    """
    number = 0
    for batch in messages.batches((letter, letter.body) for letter in letters):
        accepted = messages.send(stack, batch)
        delete(stack, accepted)
        number += len(accepted)
    return number


def _batches(stack: Stack, held: list[DeadLetter]) -> Iterator[list[DeadLetter]]:
    end, seen = time.monotonic() + HIDDEN_SECONDS, set[str]()
    while time.monotonic() < end:
        answer = stack.sqs.receive_message(
            QueueUrl=_url(stack),
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=HIDDEN_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp"],
            # Long polling asks every server of SQS: nothing found is then nothing there.
            WaitTimeSeconds=1,
        )
        letters = [_letter(message) for message in answer.get("Messages", ())]
        if not letters:
            return
        held += letters
        # SQS may deliver a message twice.
        yield [letter for letter in letters if letter.id not in seen]
        seen |= {letter.id for letter in letters}


def _letter(message: Any) -> DeadLetter:  # noqa: ANN401 - boto3's own
    what, understood = kind(message["Body"])
    return DeadLetter(
        id=message["MessageId"],
        kind=what,
        understood=understood,
        sent_at=int(message["Attributes"]["SentTimestamp"]),
        body=message["Body"],
        receipt=message["ReceiptHandle"],
    )


def _give_back(stack: Stack, held: Sequence[DeadLetter]) -> None:
    def give_back(batch: Sequence[DeadLetter]) -> None:
        # For one that was deleted SQS reports an error of its own, and does nothing.
        entries: Any = [entry | {"VisibilityTimeout": 0} for entry in _entries(batch)]
        stack.sqs.change_message_visibility_batch(QueueUrl=_url(stack), Entries=entries)

    if held:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(give_back, batched(held, BATCH, strict=False)))


def _entries(letters: Sequence[DeadLetter]) -> list[dict[str, Any]]:
    return [{"Id": str(n), "ReceiptHandle": one.receipt} for n, one in enumerate(letters)]


def _url(stack: Stack) -> str:
    return stack.outputs["DeadLetterQueueUrl"]
