"""Ten thousand users in the table: what an operator looks at is there within a second or two."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import batched
from typing import Any

import pytest

from handler.catalog_table import CATALOG
from handler.dynamodb import DUE, to_item
from handler.fact_table import account_to_row, accounts_key
from handler.user_table import instance_key
from handler.values import Status
from provisioner import context, scan
from provisioner.locate import Choice, find
from provisioner.stack import Stack
from tests.deployed.application import GMAIL, SERVER, SLACK
from tests.deployed.operator_commands import Operator
from tests.world import account

USERS = 10_000
NAME = "ten-thousand"
STATUSES = {"waiting": 500, "failed": 300, "retrying": 200}
"""The others are ready."""

KEYS: Any = {
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "N" if name == "due_at" else "S"}
        for name in ("pk", "sk", "due", "due_at")
    ],
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": DUE,
            "KeySchema": [
                {"AttributeName": "due", "KeyType": "HASH"},
                {"AttributeName": "due_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
}


def seeds() -> Iterator[dict[str, Any]]:
    statuses = [name for name, number in STATUSES.items() for _ in range(number)]
    for number in range(USERS):
        user = f"user_{number}"
        status = statuses[number] if number < len(statuses) else "ready"
        yield accounts_key(user) | {
            f"account#{one}": account_to_row(account(one, user=user))
            for one in (GMAIL, SLACK)[: 1 if status == "waiting" else 2]
        }
        if status != "waiting":
            row = {**instance_key(user, SERVER), "status": status, "attempts": 1}
            due = {"due": DUE, "due_at": 1} if status == "retrying" else {}
            record = {"id": user, "instance_id": user, "mcp_server_id": SERVER}
            yield {**row, "claim_token": "t" * 32, "settled_at": 1, "record": record, **due}


@pytest.fixture
def many(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """Give a table of its own, of which no stream tells: else all ready ones are announced."""
    client = operator.at.dynamodb
    client.create_table(TableName=NAME, BillingMode="PAY_PER_REQUEST", **KEYS)
    catalog = client.query(
        TableName=operator.at.stack.table_name,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": CATALOG}},
    )["Items"]

    def write(items: tuple[Any, ...]) -> None:
        client.batch_write_item(RequestItems={NAME: [{"PutRequest": {"Item": i}} for i in items]})

    with ThreadPoolExecutor(8) as pool:
        items = [*catalog, *map(to_item, seeds())]
        list(pool.map(write, batched(items, 25, strict=False)))

    def found(choice: Choice) -> Stack:
        stack = find(choice)
        return replace(stack, outputs={**stack.outputs, "TableName": NAME})

    monkeypatch.setattr(context, "find", found)
    monkeypatch.setenv("AWS_ENDPOINT_URL", operator.at.stack.aws_endpoint_url)
    for key, value in operator.environment.items():
        monkeypatch.setenv(key, value)
    stack = found(Choice(operator.at.stack.stack_name))
    yield stack
    stack.close()
    client.delete_table(TableName=NAME)


def test_ten_thousand_users_are_looked_at_in_a_moment(
    many: Stack, operator: Operator, figures: list[str]
) -> None:
    took: dict[str, float] = {}

    def timed(what: str, run: Callable[[], Any]) -> Any:
        began = time.monotonic()
        answer = run()
        took[what] = time.monotonic() - began
        return answer

    for status, number in STATUSES.items():
        listed = timed(status, partial(operator.json, "list", "--status", status))
        assert (listed["total"], len(listed["instances"])) == (number, 50)
    watched = timed("watch", lambda: operator.json("watch", "--times", "1"))
    wanted = {one.value: 0 for one in Status} | {"ready": USERS - 1000, **STATUSES}
    assert watched["statuses"] == wanted

    figures.append(
        "provisioner, 10,000 users: " + ", ".join(f"{n} {s:.2f} s" for n, s in took.items())
    )
    # Side by side: what is due is found by its index, and what has failed is all that is carried.
    assert took["retrying"] < took["failed"]
    assert len(list(scan._scan(many, scan._stored(frozenset({Status.FAILED}))))) == 300
    ours, theirs = page_read(many.dynamodb), page_read(operator.at.dynamodb)
    figures.append(f"provisioner, CPU for 1 MB: {ours:.2f} s, by botocore's parser {theirs:.2f} s")
    assert ours < theirs / 2


def page_read(client: Any) -> float:
    """Return the seconds of CPU that a page of the table costs this process."""
    began = time.process_time()
    assert client.scan(TableName=NAME)["Items"]
    return time.process_time() - began
