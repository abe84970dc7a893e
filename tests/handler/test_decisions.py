"""Each rule by which a claim ends."""

import math

import pytest

from handler.decisions import (
    FAILED_FOR_SECONDS,
    LONGEST_DELAY_SECONDS,
    Meaning,
    delay,
    failed,
    fingerprint,
    meaning,
    missing,
    overall,
    repeats_at_once,
    retrying,
    settled_by,
)
from handler.targets import Answer, Problem, Status, Target, TargetRow
from tests.world import GMAIL, SLACK, account

RECORD = {"id": "rec_1", "instance_id": "user_1"}
REQUIRED = frozenset({GMAIL, SLACK})
TARGET = Target("srv_1", REQUIRED)
CLAIMED = TargetRow("user_1", TARGET.key, Status.CREATING, attempts=1, claim_token="mine")


def answer(
    status: int | None, *, enveloped: bool = True, retry_after: float | None = None
) -> Answer:
    return Answer(status, problem=Problem("said", retry_after=retry_after, enveloped=enveloped))


@pytest.mark.parametrize(
    ("statuses", "of_composio", "of_a_proxy"),
    [
        ([200, 201, 202, 204], Meaning.UNCLEAR, Meaning.UNCLEAR),
        ([409], Meaning.EXISTS, Meaning.UNCLEAR),
        ([400], Meaning.UNCLEAR, Meaning.UNCLEAR),
        ([403], Meaning.FORBIDDEN, Meaning.LATER),
        ([404, 410, 422, 405, 413, 451], Meaning.REFUSED, Meaning.LATER),
        ([301, 302, 307, 304], Meaning.REFUSED, Meaning.LATER),
        ([None, 401, 408, 429, 500, 502, 503, 504, 599], Meaning.LATER, Meaning.LATER),
    ],
)
def test_answer_means_what_its_status_and_form_say(
    statuses: list[int | None], of_composio: Meaning, of_a_proxy: Meaning
) -> None:
    assert meaning(Answer(201, record=RECORD)) is Meaning.CREATED
    for status in statuses:
        assert meaning(answer(status)) is of_composio
        assert meaning(answer(status, enveloped=False)) is of_a_proxy


def test_call_is_repeated_at_once_after_a_server_error_without_retry_after() -> None:
    passing = {None, 408, 500, 502, 504, 599}

    for status in (None, *range(100, 600)):
        assert repeats_at_once(answer(status)) is (
            status in passing or (status is not None and status >= 500 and status != 503)
        )
        assert not repeats_at_once(answer(status, retry_after=1))


@pytest.mark.parametrize("status", [401, 408, 429, 500, 503, None])
def test_retry_after_lengthens_the_wait_whatever_the_status(
    status: int | None,
) -> None:
    claimed, jitter = CLAIMED._replace(attempts=3), 0.5
    own = delay(3, jitter=jitter)

    for asked, due_in in [(None, own), (0, own), (own + 0.5, own + 1), (1800, 1800)]:
        problem = answer(status, retry_after=asked).problem
        assert retrying(claimed, problem, jitter=jitter).due_in == due_in


def test_failed_target_is_retried_after_an_hour_doubling_to_a_day_for_thirty_days() -> None:
    now, waits = 0, list[int]()
    claimed = CLAIMED._replace(failed_at=0)
    while (due_in := failed(claimed, Problem("no"), now=now, jitter=1.0).due_in) is not None:
        waits.append(due_in)
        now += due_in
        claimed = claimed._replace(failures=claimed.failures + 1)

    hour, day = 3600, 86_400
    assert waits[:7] == [hour, 2 * hour, 4 * hour, 8 * hour, 16 * hour, day, day]
    assert FAILED_FOR_SECONDS <= now < FAILED_FOR_SECONDS + day
    assert failed(CLAIMED, Problem("no"), now=10**9, jitter=0.0).due_in == hour * 0.9


def test_fingerprint_is_of_the_requirement_and_the_accounts_that_meet_it() -> None:
    gmail, slack = account(GMAIL)._replace(seen_at=1), account(SLACK)._replace(seen_at=2)
    tried = fingerprint(TARGET, [gmail, slack])

    assert fingerprint(TARGET, [slack, gmail]) == tried
    assert fingerprint(TARGET, [slack, gmail, account("ac_other")]) == tried
    assert fingerprint(TARGET, [slack, gmail, account(GMAIL, id="ca_2", status="FAILED")]) == tried
    assert fingerprint(TARGET._replace(required=REQUIRED | {"ac_other"}), [gmail, slack]) != tried
    assert fingerprint(TARGET, [gmail, slack._replace(seen_at=3)]) != tried
    assert fingerprint(TARGET, [gmail, slack, account(SLACK, id="ca_2")]) != tried


@pytest.mark.parametrize(
    ("status", "tried", "settled"),
    [
        (Status.READY, "before", True),
        (Status.CREATING, "before", True),
        (Status.RETRYING, "before", True),
        (Status.FAILED, "now", True),
        (Status.FAILED, "before", False),
        (Status.WAITING, "now", True),
        (Status.WAITING, "before", False),
    ],
)
def test_failed_or_waiting_target_is_settled_until_something_else_can_be_tried(
    *, status: Status, tried: str, settled: bool
) -> None:
    assert settled_by(CLAIMED._replace(status=status, tried=tried), "now") is settled
    assert not settled_by(None, "now")


def test_missing_auth_configs_are_required_and_not_active() -> None:
    required = frozenset({"ac_mail", "ac_chat"})

    assert missing(required, {"ac_mail", "ac_other"}) == {"ac_chat"}
    assert missing(required, {"ac_chat", "ac_mail"}) == frozenset()
    assert missing(frozenset(), set()) == frozenset()


def test_delay_doubles_up_to_a_quarter_of_an_hour() -> None:
    whole = [delay(attempts, jitter=math.nextafter(1, 0)) for attempts in range(1, 9)]

    assert whole == [15, 30, 60, 120, 240, 480, 900, 900]
    assert [delay(attempts, jitter=0) for attempts in (1, 2, 3, 7)] == [8, 15, 30, 450]
    assert delay(10**9, jitter=math.nextafter(1, 0)) == LONGEST_DELAY_SECONDS


@pytest.mark.parametrize(
    ("statuses", "word"),
    [
        ([], "ready"),
        ([Status.READY, Status.READY], "ready"),
        ([Status.READY, Status.RETRYING], "waiting"),
        ([Status.CREATING], "waiting"),
        ([None, Status.READY], "waiting"),
        ([Status.FAILED, Status.READY, None], "failed"),
    ],
)
def test_one_word_for_all_targets(statuses: list[Status | None], word: str) -> None:
    assert overall(statuses) == word
