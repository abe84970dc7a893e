"""Reads the whole table, or what is due, in parallel, and says who is in which status.

`waiting` is mostly not stored but follows from the facts: there is an account that matters to
an MCP server, and no instance that is anything else.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import batched, chain
from typing import Any, NamedTuple

import httpx

from handler.account_table import ACCOUNTS, Facts, accounts_from_row
from handler.decisions import missing
from handler.dynamodb import DUE, from_item
from handler.target_table import TARGETS, target_from_row, user_of
from handler.targets import Status, Target, TargetId
from provisioner.errors import Trouble
from provisioner.stack import THREADS, Stack

INDEXED = frozenset({Status.CREATING, Status.RETRYING})
"""Instances in these are always due at some time: the sparse index finds them."""

SEGMENTS = 4
_BATCH_GET = 100
_missing = lru_cache(missing)
"""So that many users who miss the same share one set."""

type Key = tuple[str, TargetId]
"""A user id, and a target of this user."""

_PROJECTED = (
    "pk", "sk", "status", "attempts", "claim_token", "due_at", "missing", "last_error", "settled_at"
)  # fmt: skip
_PROJECTION = {
    "ProjectionExpression": ", ".join(f"#{name}" for name in _PROJECTED),
    "ExpressionAttributeNames": {f"#{name}": name for name in _PROJECTED},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One (user, target), as a list shows it; times are Unix seconds."""

    user_id: str
    target: TargetId
    status: Status
    missing: frozenset[str] = frozenset()
    attempts: int = 0
    due_at: int | None = None
    settled_at: int | None = None
    error: str | None = None

    def told(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        values = asdict(self)
        del values["target"]
        return {"user_id": self.user_id, **self.target.told} | values


class Lacking(NamedTuple):
    """What a user lacks for a target, by the facts.

    `missing` is None where that does not matter: the instance is in a status that is not wanted.
    """

    user_id: str
    target: TargetId
    missing: frozenset[str] | None


def entries(stack: Stack, wanted: Iterable[Status]) -> list[Entry]:
    """Return all that are in one of these statuses, by user.

    For `creating` and `retrying` alone only the index is read; else the table is scanned.
    """
    statuses = frozenset(wanted)
    if statuses <= INDEXED:
        found = [one for one in map(of_row, _due_rows(stack)) if one.status in statuses]
    elif Status.WAITING not in statuses:
        found = _scan(stack, _stored(statuses), _of_target)
    else:
        targets = stack.catalog.known().targets
        found = combined(_scan(stack, {}, lambda row: list(kept(row, statuses, targets))))
    return sorted(found, key=lambda one: (one.user_id, one.target))


def of_row(row: Mapping[str, Any]) -> Entry:
    """Return what the row of a target says; raises Trouble for a status of another release."""
    try:
        found = target_from_row(row)
    except ValueError:
        message = f"the table holds a status that this release does not have: {row['status']}"
        raise Trouble(message, "install the release of the stack") from None
    return Entry(
        user_id=found.user_id,
        target=found.target,
        status=found.status,
        missing=found.missing,
        attempts=found.attempts,
        due_at=found.due_at,
        settled_at=row.get("settled_at"),
        error=(found.last_error or {}).get("message"),
    )


def kept(
    row: Mapping[str, Any], statuses: frozenset[Status], targets: Iterable[Target]
) -> Iterator[Entry | Lacking]:
    """Yield what has to be kept of a row to know who is in these statuses, and who waits."""
    if row["sk"].startswith(TARGETS):
        wanted = row["status"] not in Status or row["status"] in statuses | {Status.WAITING}
        key = TargetId.of(row["sk"])
        yield of_row(row) if wanted else Lacking(user_of(row), key, None)
    elif row["sk"] == ACCOUNTS:
        user_id = row["pk"].removeprefix("USER#")
        facts = Facts(accounts_from_row(user_id, row))
        known = {account.auth_config_id for account in facts.accounts}
        for target in targets:
            if target.required & known:
                yield Lacking(user_id, target.key, _missing(target.required, facts.active))


def combined(parts: Iterable[Entry | Lacking]) -> list[Entry]:
    """Return the entries; who waits, and for what, follows from the facts as they are now."""
    lacking, stored = dict[Key, frozenset[str]](), dict[Key, Entry | None]()
    for part in parts:
        key = (part.user_id, part.target)
        if isinstance(part, Entry):
            stored[key] = part
        elif part.missing is None:
            stored[key] = None
        else:
            lacking[key] = part.missing
    found = [one for one in stored.values() if one and one.status is not Status.WAITING]
    for (user_id, target), names in lacking.items():
        waiting = Entry(user_id=user_id, target=target, status=Status.WAITING)
        before = stored.get((user_id, target), waiting)
        if before and before.status is Status.WAITING:
            found.append(replace(before, missing=names, error=None))
    return found


def _of_target(row: Mapping[str, Any]) -> list[Entry]:
    return [of_row(row)] if row["sk"].startswith(TARGETS) else []


def _stored(statuses: frozenset[Status]) -> dict[str, Any]:
    values = {f":{one.value}": {"S": one.value} for one in statuses}
    return {
        "FilterExpression": f"#status IN ({', '.join(sorted(values))})",
        "ExpressionAttributeValues": values,
        **_PROJECTION,
    }


def _read_at_once(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Read the page of a scan as the JSON that it is.

    botocore's parser looks up the shape of each value: 2 s for 10,000 users where this takes
    a tenth. Only binary values would need it, and the table has none.
    """
    if response_dict["status_code"] == httpx.codes.OK:
        customized_response_dict.update(json.loads(response_dict["body"]))
        response_dict["body"] = b"{}"


def _scan[Part](
    stack: Stack, request: Mapping[str, Any], keep: Callable[[dict[str, Any]], list[Part]]
) -> list[Part]:
    """Scan the table in segments; of each row only what `keep` returns stays in memory."""
    client, table = stack.dynamodb, stack.outputs["TableName"]
    client.meta.events.register("before-parse.dynamodb.Scan", _read_at_once, unique_id="scan")

    def segment(number: int) -> list[Part]:
        pages = client.get_paginator("scan").paginate(
            **request, TableName=table, Segment=number, TotalSegments=SEGMENTS
        )
        return [part for page in pages for item in page["Items"] for part in keep(from_item(item))]

    with ThreadPoolExecutor(SEGMENTS) as pool:
        return list(chain.from_iterable(pool.map(segment, range(SEGMENTS))))


def _due_rows(stack: Stack) -> Iterator[dict[str, Any]]:
    table = stack.outputs["TableName"]
    pages = stack.dynamodb.get_paginator("query").paginate(
        TableName=table,
        IndexName=DUE,
        KeyConditionExpression="due = :due",
        ExpressionAttributeValues={":due": {"S": DUE}},
    )
    keys = [{"pk": item["pk"], "sk": item["sk"]} for page in pages for item in page["Items"]]

    def batch(some: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
        asked: Any = {table: {"Keys": list(some), "ConsistentRead": True, **_PROJECTION}}
        found: list[dict[str, Any]] = []
        while asked:
            answer = stack.dynamodb.batch_get_item(RequestItems=asked)
            found += map(from_item, answer["Responses"].get(table, []))
            asked = answer.get("UnprocessedKeys")
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(batch, batched(keys, _BATCH_GET, strict=False))
        return chain.from_iterable(list(found))
