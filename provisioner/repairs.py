"""What an operator changes; each change is a conditional write, or harmless when repeated.

Nothing here calls create-instance: it makes work due, and the worker does it.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Any

from handler.account_table import accounts_key
from handler.dynamodb import DUE, assign, to_item
from handler.paging import Place
from handler.queue import BATCH
from handler.target_table import target_key
from handler.targets import Status, Target, TargetId
from handler.walk_table import BACKFILL, Walk
from provisioner.errors import Trouble
from provisioner.stack import THREADS, Stack

type Key = tuple[str, TargetId]
"""A user id, and a target of this user."""

_DELETE_BATCH = 25


def make_due(stack: Stack, key: Key, *, now: int) -> bool:
    """Make a failed target due now, and reset its attempts; False if it is not failed.

    The sweep takes it up, should the message to the worker never be sent.
    """
    due = {"status": Status.RETRYING.value, "due": DUE, "due_at": now, "tried": ""}
    failed = Status.FAILED.value
    row = target_key(*key)
    return stack.table.update(row, assign(due), "#status = :failed", **due, failed=failed)[1]


def retry(stack: Stack, keys: Sequence[Key], advance: Callable[[int], None]) -> int:
    """Have the worker try these failed targets again, and return how many were failed.

    It can be ended at any point and run again: what it has made due is no longer failed.
    """
    number = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for batch in batched(keys, BATCH, strict=False):
            now = int(time.time())
            due = pool.map(lambda key, at=now: make_due(stack, key, now=at), batch)
            taken = [key for key, changed in zip(batch, due, strict=True) if changed]
            stack.services.queue.send(
                {"task": "due", "user_id": user_id, "target": target.sort_key}
                for user_id, target in taken
            )
            number += len(taken)
            advance(len(batch))
    return number


def forget(stack: Stack, user_id: str) -> int:
    """Erase every row of a user, and return how many there were; Composio is not asked.

    The facts go first, so that nothing is created from them. What a worker writes back meanwhile
    is erased after the next reading.
    """
    number, pk = 0, accounts_key(user_id)["pk"]
    while found := sorted(
        ({"pk": row["pk"], "sk": row["sk"]} for row in stack.table.partition(pk)),
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


def pages(stack: Stack, target: Target) -> tuple[list[str], int]:
    """Return the cursors of the pages that a back-fill reads, and the number of accounts on them.

    Raises Unavailable if they cannot be read.
    """
    found = stack.composio.active_accounts(
        Place(), auth_config_ids=target.required, deadline=float("inf")
    )
    read = {page.place.cursor: len(page.accounts) for page in found}
    return list(read), sum(read.values())


def begin_backfill(stack: Stack, key: TargetId) -> None:
    """Have the worker read all accounts that matter to the target, from the first page on.

    The table is written first: the sweep sends the message, should this one be lost. A worker at
    it loses its lease; a back-fill that waits, as the server has just changed, goes on waiting.
    """
    catalog = stack.catalog_table.catalog()
    if catalog.known(key.name).server is None and key not in {one.key for one in catalog.profiles}:
        raise Trouble(f"the catalog does not know {key.name}", "provisioner doctor")
    walk, now = _backfill(stack, key), int(stack.services.sources.clock())
    at = max(now, walk.lease_until) if walk and not walk.token else now
    stack.services.walk_table.request_backfill(key, at=at)
    stack.services.queue.send([{"task": "backfill", "target": key.sort_key}])


def backfill_place(stack: Stack, key: TargetId) -> str | None:
    """Return the cursor that a back-fill has come to ("" at first), or None when it is done."""
    walk = _backfill(stack, key)
    return walk and walk.place.cursor


def _backfill(stack: Stack, key: TargetId) -> Walk | None:
    name = BACKFILL + key.sort_key
    return next((walk for walk in stack.services.walk_table.walks() if walk.name == name), None)
