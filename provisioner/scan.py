"""Reads the whole table, or what is due, in parallel, and says who is in which status.

`waiting` is mostly not stored but follows from the facts: there is an account that matters to
an MCP server, and no instance that is anything else.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched, chain
from typing import Any

import httpx

from handler.decisions import missing
from handler.dynamodb import DUE, from_item
from handler.fact_table import ACCOUNTS, Facts, accounts_from_row
from handler.user_table import INSTANCE, instance_from_row
from handler.values import Status, Target
from provisioner.stack import THREADS, Stack

INDEXED = frozenset({Status.CREATING, Status.RETRYING})
"""Instances in these are always due at some time: the sparse index finds them."""

SEGMENTS = 4
_BATCH_GET = 100
_PROJECTED = (
    "pk", "sk", "status", "attempts", "claim_token", "due_at", "missing", "last_error", "settled_at"
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One (user, MCP server), as a list shows it; times are Unix seconds."""

    user_id: str
    server_id: str
    status: Status
    missing: frozenset[str] = frozenset()
    attempts: int = 0
    due_at: int | None = None
    settled_at: int | None = None
    error: str | None = None


def entries(stack: Stack, wanted: Iterable[Status]) -> list[Entry]:
    """Return all that are in one of these statuses, by user.

    For `creating` and `retrying` alone only the index is read; else the table is scanned.
    """
    statuses = frozenset(wanted)
    if statuses <= INDEXED:
        found = [one for one in map(of_row, _due_rows(stack)) if one.status in statuses]
    elif Status.WAITING not in statuses:
        found = list(map(of_row, _scan(stack, _stored(statuses))))
    else:
        table = list(_scan(stack, {}))
        accounts = [row for row in table if row["sk"] == ACCOUNTS]
        stored = [of_row(row) for row in table if row["sk"].startswith(INSTANCE)]
        found = waiting_of(accounts, stored, stack.catalog.known().servers)
        found += [one for one in stored if one.status in statuses - {Status.WAITING}]
    return sorted(found, key=lambda one: (one.user_id, one.server_id))


def of_row(row: Mapping[str, Any]) -> Entry:
    """Return what a row of an instance says."""
    instance = instance_from_row(row)
    return Entry(
        user_id=instance.user_id,
        server_id=instance.server_id,
        status=instance.status,
        missing=instance.missing,
        attempts=instance.attempts,
        due_at=instance.due_at,
        settled_at=row.get("settled_at"),
        error=(instance.last_error or {}).get("message"),
    )


def waiting_of(
    accounts: Iterable[Mapping[str, Any]], instances: Iterable[Entry], servers: Iterable[Target]
) -> list[Entry]:
    """Return who waits, by the facts; what is missing is what the facts lack now."""
    stored = {(one.user_id, one.server_id): one for one in instances}
    required = [(one.id, one.required) for one in servers]
    found = []
    for row in accounts:
        user_id = row["pk"].removeprefix("USER#")
        facts = Facts(accounts_from_row(user_id, row))
        known = {one.auth_config_id for one in facts.accounts}
        for server_id, needs in required:
            one = stored.get((user_id, server_id))
            if not needs & known or (one and one.status is not Status.WAITING):
                continue
            found.append(
                Entry(
                    user_id=user_id,
                    server_id=server_id,
                    status=Status.WAITING,
                    missing=missing(needs, facts.active),
                    attempts=one.attempts if one else 0,
                    due_at=one.due_at if one else None,
                    settled_at=one.settled_at if one else None,
                )
            )
    return found


def _stored(statuses: frozenset[Status]) -> dict[str, Any]:
    values = {f":{one.value}": {"S": one.value} for one in statuses}
    return {
        "FilterExpression": f"#status IN ({', '.join(sorted(values))})",
        "ExpressionAttributeValues": values,
        **_projection(),
    }


def _projection() -> dict[str, Any]:
    return {
        "ProjectionExpression": ", ".join(f"#{name}" for name in _PROJECTED),
        "ExpressionAttributeNames": {f"#{name}": name for name in _PROJECTED},
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


def _scan(stack: Stack, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    client = stack.dynamodb
    client.meta.events.register("before-parse.dynamodb.Scan", _read_at_once, unique_id="scan")

    def segment(number: int) -> list[dict[str, Any]]:
        asked: dict[str, Any] = {
            **request,
            "TableName": stack.outputs["TableName"],
            "Segment": number,
            "TotalSegments": SEGMENTS,
        }
        pages = client.get_paginator("scan").paginate(**asked)
        return [from_item(item) for page in pages for item in page["Items"]]

    with ThreadPoolExecutor(SEGMENTS) as pool:
        return chain.from_iterable(pool.map(segment, range(SEGMENTS)))


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
        asked: Any = {table: {"Keys": list(some), "ConsistentRead": True, **_projection()}}
        found: list[dict[str, Any]] = []
        while asked:
            answer = stack.dynamodb.batch_get_item(RequestItems=asked)
            found += map(from_item, answer["Responses"].get(table, []))
            asked = answer.get("UnprocessedKeys")
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(batch, batched(keys, _BATCH_GET, strict=False))
        return chain.from_iterable(list(found))
