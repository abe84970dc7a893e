"""What an operator changes; each change is a conditional write, or harmless when repeated.

Nothing here calls create-instance: it makes work due, and the worker does it.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Any

from handler.catalog_table import CATALOG, server_key
from handler.dynamodb import DUE, assign, to_item
from handler.fact_table import accounts_key
from handler.paging import Place
from handler.queue import BATCH
from handler.user_table import instance_key
from handler.values import Server, Status
from provisioner.errors import Trouble
from provisioner.stack import THREADS, Stack

type Key = tuple[str, str]
"""A user id and the id of an MCP server."""

LOOK_SECONDS = 600
"""For so long, at most, messages are hidden while they are counted."""
_MOVE_SECONDS = 20
_DELETE_BATCH = 25


def make_due(stack: Stack, key: Key, *, now: int) -> bool:
    """Make a failed instance due now, its attempts counted anew; False if it is not failed.

    It is the sweep's from here on, should the message to the worker never be sent.
    """
    due = {"status": Status.RETRYING.value, "due": DUE, "due_at": now, "tried": ""}
    failed = Status.FAILED.value
    row = instance_key(*key)
    return stack.table.update(row, assign(due), "#status = :failed", **due, failed=failed)[1]


def retry(stack: Stack, keys: Sequence[Key], advance: Callable[[int], None]) -> int:
    """Have the worker try these failed instances again, and return how many were failed.

    It can be ended at any point and run again: what it has taken up is no longer failed.
    """
    number = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for batch in batched(keys, BATCH, strict=False):
            now = int(time.time())
            due = pool.map(lambda key, at=now: make_due(stack, key, now=at), batch)
            taken = [key for key, changed in zip(batch, due, strict=True) if changed]
            stack.queue.send(
                {"task": "due", "user_id": user_id, "server_id": server_id}
                for user_id, server_id in taken
            )
            number += len(taken)
            advance(len(batch))
    return number


def _received(stack: Stack, seconds: int) -> Iterator[list[Any]]:
    """Yield the messages of the dead-letter queue in batches, each hidden for so many seconds."""
    url = stack.outputs["DeadLetterQueueUrl"]
    while found := stack.sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=BATCH,
        VisibilityTimeout=seconds,
        # Long polling asks every server of SQS: nothing found is then nothing there.
        WaitTimeSeconds=1,
    ).get("Messages"):
        yield found


def look(stack: Stack, advance: Callable[[int], None]) -> Counter[str]:
    """Count the messages of the dead-letter queue by what they are, and leave them there.

    It ends before those that are counted come back: of very many, it counts only the first.
    """
    url, end = stack.outputs["DeadLetterQueueUrl"], time.monotonic() + LOOK_SECONDS
    seen: dict[str, str] = {}
    receipts: list[str] = []
    try:
        for batch in _received(stack, LOOK_SECONDS):
            receipts += [one["ReceiptHandle"] for one in batch]
            before = len(seen)
            seen |= {one["MessageId"]: kind(one["Body"]) for one in batch}
            advance(len(seen) - before)
            if time.monotonic() >= end:
                break
    finally:
        for some in batched(receipts, BATCH, strict=False):
            entries: Any = [
                {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for n, receipt in enumerate(some)
            ]
            stack.sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
    return Counter(seen.values())


def redrive(stack: Stack, advance: Callable[[int], None]) -> int:
    """Send the messages of the dead-letter queue to the queue again, and return how many.

    Each is deleted after it is sent: ended in between, it is worked on twice, which is harmless.
    """
    number = 0
    for batch in _received(stack, _MOVE_SECONDS):
        again: Any = [{"Id": str(n), "MessageBody": one["Body"]} for n, one in enumerate(batch)]
        answer = stack.sqs.send_message_batch(QueueUrl=stack.outputs["QueueUrl"], Entries=again)
        sent: Any = [
            {"Id": one["Id"], "ReceiptHandle": batch[int(one["Id"])]["ReceiptHandle"]}
            for one in answer.get("Successful", [])
        ]
        if sent:
            url = stack.outputs["DeadLetterQueueUrl"]
            stack.sqs.delete_message_batch(QueueUrl=url, Entries=sent)
        number += len(sent)
        advance(len(sent))
        if len(sent) < len(batch):
            break
    return number


def kind(body: str) -> str:
    """Say what a message is, and nothing of what it says about anybody."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return "not JSON"
    match content:
        case {"task": str(task)}:
            return f"task {task}"
        case {"detail": {"type": str(name)}}:
            return f"event {name}"
        case _:
            return "neither a task nor an event"


def forget(stack: Stack, user_id: str) -> int:
    """Erase every row of a user, and return how many there were; Composio is not asked.

    The facts go first, so that nothing is created from them; what a worker that is at it just
    now writes back goes with the next reading.
    """
    number = 0
    while found := sorted(
        ({"pk": row["pk"], "sk": row["sk"]} for row in stack.table.partition(_pk(user_id))),
        key=lambda key: str(key["sk"]),
    ):
        for batch in batched(found, _DELETE_BATCH, strict=False):
            asked: Any = {
                stack.outputs["TableName"]: [
                    {"DeleteRequest": {"Key": to_item(key)}} for key in batch
                ]
            }
            while asked:
                asked = stack.dynamodb.batch_write_item(RequestItems=asked).get("UnprocessedItems")
        number += len(found)
    return number


def pages(stack: Stack, server: Server) -> tuple[list[str], int]:
    """Return the cursors of the pages that a back-fill reads, and the accounts on them.

    Raises:
        Unavailable: They could not be read.
    """
    found = stack.composio.active_accounts(
        Place(), auth_config_ids=server.required, deadline=float("inf")
    )
    read = {place.cursor: len(accounts) for place, accounts in found}
    return list(read), sum(read.values())


def begin_backfill(stack: Stack, server_id: str) -> None:
    """Have the worker take the accounts of all users that matter to the server, from the first.

    The catalog says so first: the sweep sends the message should this one be lost. Who is at it
    loses it; `backfill_until` stays as it is: a change of the last minute needs the wait.
    """
    begun = {"backfill": "", "backfill_token": ""}
    known = "attribute_exists(#server_id)"
    if not stack.table.update(server_key(server_id), assign(begun), known, **begun)[1]:
        raise Trouble(f"the catalog does not know {server_id}", "provisioner doctor")
    stack.queue.send([{"task": "backfill", "server_id": server_id}])


def backfill_place(stack: Stack, server_id: str) -> str | None:
    """Return the cursor that a back-fill has come to ("" at first), or None when it is done."""
    for row in stack.table.partition(CATALOG):
        if row.get("server_id") == server_id:
            return row.get("backfill")
    return None


def _pk(user_id: str) -> str:
    return accounts_key(user_id)["pk"]
