"""The conditional writes to the row of a connect session."""

from typing import Any

import pytest

from handler.connect_rules import MOST_CALLS, Attempt, ConnectSession, most_links
from handler.connect_table import ConnectTable
from handler.dynamodb import Table
from tests.world import GMAIL, SLACK

NEW = ConnectSession(
    sid="s" * 43,
    user_id="user_1",
    targets=("srv_1", "srv_2"),
    base="https://api.invalid/live",
    expires_at=1000,
    ends_at=1900,
    label="ada",
    return_url="https://app.invalid/done",
)
BROWSER = "b" * 43


@pytest.fixture
def table(empty_table: Table) -> ConnectTable:
    return ConnectTable(empty_table)


def read(table: ConnectTable) -> ConnectSession:
    session = table.read(NEW.sid)
    assert session
    return session


def started(table: ConnectTable) -> ConnectSession:
    table.create(NEW)
    assert table.bind(NEW, BROWSER, now=0)
    return read(table)


def made(attempt: Attempt, **more: Any) -> Attempt:
    account: dict[str, Any] = {"account": "ca_1", "url": "https://connect.invalid", "until": 600}
    return attempt._replace(**account | more)


def test_session_is_made_once_and_read_as_it_was_made(table: ConnectTable) -> None:
    table.create(NEW)
    table.create(NEW._replace(user_id="mallory"))

    assert read(table) == NEW
    assert table.read("o" * 43) is None


def test_one_browser_starts_a_session_before_it_expires(table: ConnectTable) -> None:
    assert not table.bind(NEW, BROWSER, now=0), "there is none"
    table.create(NEW)

    assert not table.bind(NEW, BROWSER, now=1000)
    assert table.bind(NEW, BROWSER, now=999)
    assert not table.bind(NEW, "c" * 43, now=999)
    assert table.bind(NEW, BROWSER, now=999), "botocore repeats a write whose answer was lost"


def test_one_click_holds_an_auth_config_for_thirty_seconds(table: ConnectTable) -> None:
    session = started(table)

    assert table.claim(session, GMAIL, token="a", now=0)[1].claim == "a"
    held, attempt = table.claim(session, GMAIL, token="b", now=0)
    assert (attempt.claim, held.calls) == ("a", 1)
    assert table.claim(read(table), GMAIL, token="b", now=29)[1].claim == "a"
    assert table.claim(read(table), SLACK, token="c", now=29)[1].claim == "c"
    assert table.claim(read(table), GMAIL, token="b", now=30)[1].claim == "b"


def test_claim_fails_after_another_click_claimed_and_released(
    table: ConnectTable,
) -> None:
    session = started(table)
    held, attempt = table.claim(session, GMAIL, token="a", now=0)
    table.release(held, GMAIL, attempt, now=1)

    assert table.claim(session, GMAIL, token="b", now=2)[1].claim == "a"
    assert table.claim(read(table), GMAIL, token="b", now=2)[1].claim == "b"


@pytest.mark.parametrize("change", [{"browser": "c" * 43}, {"browser": ""}])
def test_nothing_is_claimed_or_counted_for_another_browser(
    table: ConnectTable, change: dict[str, Any]
) -> None:
    session = started(table)
    foreign = session._replace(**change)

    assert table.claim(foreign, GMAIL, token="a", now=0)[1].claim == ""
    assert not table.count_call(foreign, now=0)
    assert not table.redeem(foreign, "u" * 43, token="t", now=0)
    table.end(foreign, now=0)
    assert read(table) == session


def test_nothing_is_claimed_in_a_deleted_session(table: ConnectTable) -> None:
    assert table.claim(NEW, GMAIL, token="a", now=0) == (NEW, Attempt())


def test_link_is_stored_by_the_holder_of_the_claim(table: ConnectTable) -> None:
    held, attempt = table.claim(started(table), GMAIL, token="a", now=0)

    assert table.count_link(held, GMAIL, attempt, required=2)
    assert table.keep_link(held, GMAIL, made(attempt))
    assert table.keep_link(held, GMAIL, made(attempt)), "botocore repeats a write"
    session = read(table)
    assert session.attempts == {GMAIL: made(attempt)}
    assert session.made == {"ca_1": GMAIL}
    assert (session.calls, session.links) == (2, 1)


def test_link_is_not_stored_after_the_claim_was_lost(table: ConnectTable) -> None:
    held, attempt = table.claim(started(table), GMAIL, token="a", now=0)
    table.claim(read(table), GMAIL, token="b", now=30)

    assert not table.count_link(held, GMAIL, attempt, required=2)
    assert not table.keep_link(held, GMAIL, made(attempt))
    table.release(held, GMAIL, attempt, now=31)
    session = read(table)
    assert (session.made, session.links) == ({}, 0)
    assert session.attempts[GMAIL].free_at == 60


def test_next_click_can_claim_and_keeps_the_link(table: ConnectTable) -> None:
    held, attempt = table.claim(started(table), GMAIL, token="a", now=0)
    table.keep_link(held, GMAIL, made(attempt, free_at=1))

    _, again = table.claim(read(table), GMAIL, token="b", now=1)

    assert again == made(attempt, claim="b", free_at=31)


def test_links_and_calls_have_their_limits(table: ConnectTable) -> None:
    held, attempt = table.claim(started(table), GMAIL, token="a", now=0)
    counted = [table.count_link(held, GMAIL, attempt, required=2) for _ in range(10)]
    assert counted == [True] * most_links(2) + [False] * 2

    calls = [table.count_call(held, now=0) for _ in range(100)]
    assert sum(calls) == MOST_CALLS - 1 - most_links(2)
    assert read(table).calls == MOST_CALLS
    assert table.claim(read(table), SLACK, token="c", now=0)[1].claim == ""
    assert not table.count_link(held, GMAIL, attempt, required=9)
    assert not table.redeem(held, "u" * 43, token="t", now=0)


def test_session_uri_is_redeemed_once(table: ConnectTable) -> None:
    session = started(table)

    assert table.redeem(session, "u" * 43, token="t", now=0)
    assert not table.redeem(session, "u" * 43, token="other", now=0)
    assert table.redeem(session, "u" * 43, token="t", now=0), "botocore repeats a write"
    assert table.redeem(session, "v" * 43, token="x", now=0)
    assert read(table).calls == 2


def test_links_end_before_calls_do(table: ConnectTable) -> None:
    session = started(table)

    assert table.claim(session, GMAIL, token="a", now=1000)[1].claim == ""
    assert table.count_call(session, now=1899)
    assert not table.count_call(session, now=1900)
    assert not table.redeem(session, "u" * 43, token="t", now=1900)


def test_ended_session_makes_no_links_and_can_still_be_read(table: ConnectTable) -> None:
    session = started(table)
    table.end(session, now=500)
    table.end(session, now=600)

    ended = read(table)
    assert (ended.expires_at, ended.ends_at) == (500, 1900)
    assert table.claim(ended, GMAIL, token="a", now=500)[1].claim == ""
    assert table.count_call(ended, now=500)
