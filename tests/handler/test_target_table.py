"""What each condition of a write to the row of a target promises."""

import contextlib
from typing import Any, cast

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from handler.dynamodb import Table
from handler.target_table import TargetTable
from handler.targets import Problem, Settlement, Status, Target, TargetRow
from tests.fakes.dynamodb import FakeDynamoDB
from tests.world import GMAIL, SLACK

SERVER = Target("srv", frozenset({GMAIL, SLACK}))
READY = Settlement(Status.READY, record={"id": "rec"})


class Stuttering(FakeDynamoDB):
    """Loses the answer of each write, so that botocore sends it a second time."""

    def update_item(self, **request: Any) -> Any:
        with contextlib.suppress(self.exceptions.ConditionalCheckFailedException):
            super().update_item(**request)
        return super().update_item(**request)


@pytest.fixture
def table(empty_table: Table) -> TargetTable:
    return TargetTable(empty_table)


def claim(
    table: TargetTable, token: str, *, now: int = 100, tried: str = "this"
) -> TargetRow | None:
    """Return the claim, or None where it is not had."""
    instance = table.claim("u", SERVER, tried=tried, token=token, now=now, lease=40)
    return instance if instance.claimed_with(token) else None


def settle(
    table: TargetTable,
    token: str,
    settlement: Settlement = READY,
    now: int = 101,
    claimed: TargetRow | None = None,
) -> bool:
    mine = claimed or TargetRow("u", SERVER.key, Status.CREATING, attempts=1, claim_token=token)
    return table.settle(mine, settlement, now=now)


def test_only_one_of_two_claims_holds(table: TargetTable) -> None:
    assert claim(table, "a")
    assert not claim(table, "b", tried="that")


def test_claim_can_be_taken_over_from_the_end_of_its_lease(table: TargetTable) -> None:
    claim(table, "a", now=100)

    assert not claim(table, "b", now=139)
    assert claim(table, "b", now=140)
    assert not settle(table, "a")
    assert settle(table, "b")


def test_ready_target_is_never_claimed_again(table: TargetTable) -> None:
    claim(table, "a")
    settle(table, "a")

    assert not claim(table, "a", now=10**9, tried="that")
    assert not claim(table, "b", now=10**9, tried="that")
    assert not settle(table, "a", Settlement(Status.FAILED))


@pytest.mark.parametrize("status", [Status.WAITING, Status.FAILED])
def test_waiting_or_failed_target_is_claimed_early_only_to_try_something_else(
    table: TargetTable, status: Status
) -> None:
    claim(table, "a")
    settle(table, "a", Settlement(status, due_in=50))

    assert not claim(table, "b", now=102)
    assert claim(table, "c", now=102, tried="that")


def test_counts_start_again_when_something_else_is_tried(table: TargetTable) -> None:
    failed = Settlement(Status.FAILED, due_in=50, forbidden=3)
    settle(table, "a", failed, claimed=claim(table, "a"))
    again = claim(table, "b", now=200)
    assert again
    assert (again.attempts, again.forbidden, again.failures, again.failed_at) == (2, 3, 1, 101)
    settle(table, "b", failed, now=201, claimed=again)

    other = claim(table, "c", now=202, tried="that")

    assert other
    assert (other.attempts, other.forbidden, other.failures, other.failed_at) == (1, 0, 0, None)


def test_time_of_the_first_failure_is_kept_until_the_target_is_ready(table: TargetTable) -> None:
    ends = [Status.FAILED, Status.RETRYING, Status.FAILED]
    for number, status in enumerate(ends):
        claimed = claim(table, "a", now=100 + 100 * number)
        settlement = Settlement(status, due_in=1)
        settle(table, "a", settlement, now=101 + 100 * number, claimed=claimed)
    (row,) = table.table.partition("USER#u")
    assert (row["failed_at"], row["failures"]) == (101, 2)

    settle(table, "a", now=501, claimed=claim(table, "a", now=500))

    (row,) = table.table.partition("USER#u")
    assert "failed_at" not in row


def test_retrying_target_is_not_claimed_before_it_is_due(table: TargetTable) -> None:
    claim(table, "a")
    settle(table, "a", Settlement(Status.RETRYING, due_in=50), now=101)

    assert not claim(table, "b", now=150, tried="that")
    assert claim(table, "c", now=151)


def test_write_that_the_sdk_repeats_counts_once() -> None:
    table = TargetTable(Table(cast("DynamoDBClient", Stuttering("table")), "table"))

    claimed = claim(table, "a")
    assert claimed
    assert claimed.attempts == 1
    assert settle(table, "a", Settlement(Status.FAILED, problem=Problem("no")))
    assert claim(table, "b", tried="that")
    assert settle(table, "b")


def test_due_targets_are_listed_earliest_first_from_a_cursor_on(
    table: TargetTable,
) -> None:
    for number, user in enumerate(("c", "a", "d", "b")):
        claimed = table.claim(user, SERVER, tried="this", token=user, now=100, lease=40)
        late = Settlement(Status.RETRYING, due_in=10 * (number // 2))
        table.settle(claimed, late, now=100)

    def due(limit: int = 9, until: int = 200, cursor: str = "") -> list[tuple[str, int]]:
        return [(one.user_id, one.at) for one in table.due(limit, until=until, cursor=cursor)]

    everything = due()
    assert {user for user, _ in everything[:2]} == {"a", "c"}
    assert [at for _, at in everything] == [100, 100, 110, 110]
    assert due(until=109) == everything[:2]
    assert due(limit=3) == everything[:3]
    assert due(cursor=table.due(1, until=200)[0].cursor) == everything[1:]
    assert due(cursor=table.due(4, until=200)[3].cursor) == []
    second = table.due(2, until=200)[1]
    # It is due later than all of them now.
    table.claim(second.user_id, SERVER, tried="this", token="again", now=120, lease=40)
    assert due(cursor=second.cursor)[:2] == everything[2:]


def test_only_targets_with_a_due_time_are_listed(
    table: TargetTable,
) -> None:
    def due() -> list[Any]:
        return table.due(10, until=10**9)

    claim(table, "a")
    assert len(due()) == 1
    settle(table, "a", Settlement(Status.RETRYING, due_in=1))
    assert len(due()) == 1
    claim(table, "b", now=500)
    settle(table, "b")
    assert due() == []
