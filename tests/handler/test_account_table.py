"""Of two facts about a connected account the right one is kept, whichever comes first."""

from itertools import permutations
from typing import Any, cast

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from handler.account_table import AccountTable
from handler.dynamodb import Table, TooLarge
from handler.events import Account
from tests.fakes.dynamodb import FakeDynamoDB
from tests.world import GMAIL, account


@pytest.fixture
def facts(empty_table: Table) -> AccountTable:
    return AccountTable(empty_table)


def event(status: str, *, at: int, received: float) -> Account:
    """Return what an event says of the account."""
    return account(GMAIL, status=status, at=at)._replace(seen_at=int(received * 1000))


def read(status: str, *, at: int, began: float) -> Account:
    """Return what a read of the account says."""
    return event(status, at=at, received=began)._replace(read=True)


def stands(facts: AccountTable) -> Account:
    """Return the fact that is kept, by recording an older one that is not."""
    (found,) = facts.record(event("FAILED", at=0, received=0)).accounts
    return found


def test_newest_event_is_kept_whatever_the_order() -> None:
    told = [event("ACTIVE", at=1, received=1), event("EXPIRED", at=2, received=2)]
    told.append(event("ACTIVE", at=3, received=3))
    for order in permutations(told):
        table = AccountTable(Table(cast("DynamoDBClient", FakeDynamoDB("table")), "table"))
        for one in order:
            table.record(one)

        assert stands(table) == told[-1]


@pytest.mark.parametrize(
    ("told", "found", "status"),
    [
        (event("ACTIVE", at=9, received=100), read("EXPIRED", at=5, began=101), "EXPIRED"),
        (event("ACTIVE", at=9, received=102), read("EXPIRED", at=5, began=101), "ACTIVE"),
        (event("EXPIRED", at=5, received=102), read("ACTIVE", at=9, began=101), "ACTIVE"),
    ],
)
def test_read_outranks_older_events_and_those_received_before_it_began(
    facts: AccountTable, told: Account, found: Account, status: str
) -> None:
    facts.record(told)
    facts.record(found)

    assert stands(facts).status == status


def test_event_of_the_same_time_does_not_undo_a_read(facts: AccountTable) -> None:
    disabled = read("ACTIVE", at=5, began=101)._replace(is_disabled=True)
    facts.record(event("ACTIVE", at=5, received=100))
    facts.record(disabled)
    facts.record(event("ACTIVE", at=5, received=102))
    assert stands(facts) == disabled

    facts.record(event("ACTIVE", at=6, received=103))

    assert stands(facts).active


def test_read_that_says_the_same_is_not_recorded(facts: AccountTable) -> None:
    facts.record(event("ACTIVE", at=5, received=100))

    assert not facts.record(read("ACTIVE", at=5, began=101)).recorded
    assert stands(facts).seen_at == 100_000


def test_deleted_account_is_not_restored_by_its_old_events(
    facts: AccountTable,
) -> None:
    active = event("ACTIVE", at=5, received=100)
    facts.record(active)
    facts.record(active.deleted(101))
    facts.record(active._replace(seen_at=102_000))

    assert stands(facts).status == "DELETED"


def test_read_whose_time_is_in_the_future_is_corrected_by_a_later_event(
    facts: AccountTable,
) -> None:
    future = account(GMAIL, status="EXPIRED")._replace(updated_at="2999-01-01T00:00:00.000000Z")
    facts.record(future.seen(1767225600.0, read=True))
    assert facts.record(future.seen(1767225660.0, read=True)).recorded is False

    later = account(GMAIL)._replace(updated_at="2026-01-01T00:00:01.000000Z")
    facts.record(later.seen(1767225661.0, read=False))

    assert stands(facts).active


def test_full_item_makes_room_by_dropping_the_oldest_inactive_accounts(facts: AccountTable) -> None:
    for number in range(3):
        dead = account(GMAIL, id=f"ca_{number}", status="EXPIRED", at=number)
        assert facts.record(dead._replace(auth_config_id="x" * 130_000)).recorded

    living = account(GMAIL)._replace(auth_config_id="x" * 130_000)

    assert facts.record(living) == ((living,), True)


def test_fact_is_refused_when_the_item_is_full_of_active_accounts(
    facts: AccountTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise TooLarge

    facts.record(account(GMAIL))
    monkeypatch.setattr(facts, "_record", full)

    with pytest.raises(TooLarge):
        facts.record(account(GMAIL, id="ca_new"))
