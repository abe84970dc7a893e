"""What the conditions of the table's writes promise, each by itself."""

import contextlib
from typing import Any, cast

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from handler.dynamodb import Table
from handler.user_table import UserTable
from handler.values import STUCK, Instance, Problem, Server, Settlement, Status
from tests.fakes.dynamodb import FakeDynamoDB
from tests.world import GMAIL, SLACK, account

SERVER = Server("srv", frozenset({GMAIL, SLACK}))
READY = Settlement(Status.READY, record={"id": "rec"})


class Stuttering(FakeDynamoDB):
    """Loses the answer of each write, so that botocore sends it a second time."""

    def update_item(self, **request: Any) -> Any:
        with contextlib.suppress(self.exceptions.ConditionalCheckFailedException):
            super().update_item(**request)
        return super().update_item(**request)


@pytest.fixture
def db() -> FakeDynamoDB:
    return FakeDynamoDB("table")


@pytest.fixture
def table(db: FakeDynamoDB) -> UserTable:
    return UserTable(Table(cast("DynamoDBClient", db), "table"))


def claim(table: UserTable, token: str, *, now: int = 100, changed: bool = False) -> bool:
    instance = table.claim("u", SERVER, token=token, now=now, lease=40, changed=changed)
    return instance.claimed_with(token)


def settle(table: UserTable, token: str, settlement: Settlement = READY, now: int = 101) -> bool:
    claimed = Instance("u", "srv", Status.CREATING, attempts=1, claim_token=token)
    return table.settle(claimed, settlement, now=now)


def test_only_one_of_two_claims_holds(table: UserTable) -> None:
    assert claim(table, "a")
    assert not claim(table, "b", changed=True)


def test_claim_can_be_taken_over_from_the_end_of_its_lease(table: UserTable) -> None:
    claim(table, "a", now=100)

    assert not claim(table, "b", now=139)
    assert claim(table, "b", now=140)
    assert not settle(table, "a")
    assert settle(table, "b")


def test_ready_is_for_good(table: UserTable) -> None:
    claim(table, "a")
    settle(table, "a")

    assert not claim(table, "b", now=10**9, changed=True)
    assert not settle(table, "a", Settlement(Status.FAILED))


@pytest.mark.parametrize("status", [Status.WAITING, *STUCK])
def test_waiting_and_stuck_are_claimed_for_news(table: UserTable, status: Status) -> None:
    claim(table, "a")
    settle(table, "a", Settlement(status, due_in=50 if status is Status.WAITING else None))

    assert not claim(table, "b", now=102)
    assert claim(table, "c", now=102, changed=True)


def test_waiting_that_is_not_due_any_more_is_claimed_by_anyone(table: UserTable) -> None:
    claim(table, "a")
    settle(table, "a", Settlement(Status.WAITING))

    assert claim(table, "b", now=102)


def test_retrying_is_left_alone_until_it_is_due_even_for_news(table: UserTable) -> None:
    claim(table, "a")
    settle(table, "a", Settlement(Status.RETRYING, due_in=50), now=101)

    assert not claim(table, "b", now=150, changed=True)
    assert claim(table, "c", now=151)


def test_write_repeated_by_the_sdk_counts_as_one() -> None:
    table = UserTable(Table(cast("DynamoDBClient", Stuttering("table")), "table"))

    recorded = table.record(account(GMAIL))
    assert recorded.active == {GMAIL}
    assert claim(table, "a")
    assert settle(table, "a", Settlement(Status.FAILED, problem=Problem("no")))
    assert claim(table, "b", changed=True)
    assert settle(table, "b")


def test_repeated_claim_by_the_sdk_counts_one_attempt() -> None:
    table = UserTable(Table(cast("DynamoDBClient", Stuttering("table")), "table"))

    assert table.claim("u", SERVER, token="a", now=1, lease=40, changed=False).attempts == 1


def test_only_instances_that_somebody_must_look_at_are_in_the_index(
    db: FakeDynamoDB, table: UserTable
) -> None:
    def due() -> list[Any]:
        values: Any = {":due": {"S": "due"}}
        return db.query(
            TableName="table",
            IndexName="due",
            KeyConditionExpression="due = :due",
            ExpressionAttributeValues=values,
        )["Items"]

    claim(table, "a")
    assert len(due()) == 1
    settle(table, "a", Settlement(Status.RETRYING, due_in=1))
    assert len(due()) == 1
    claim(table, "b", now=500)
    settle(table, "b")
    assert due() == []


def test_withdrawn_account_is_gone_unless_it_has_changed_since(table: UserTable) -> None:
    old, new = account(GMAIL, at=1), account(GMAIL, at=2)
    table.record(old)
    table.record(new)

    table.withdraw(old)
    assert table.record(old).accounts == (new,)
    table.withdraw(new)
    assert table.record(old).accounts == (old,)
