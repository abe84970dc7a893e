"""The table "Composio answers -> then", row by row."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.decisions import (
    FIRST_DELAY_SECONDS,
    LONGEST_DELAY_SECONDS,
    MAX_ATTEMPTS,
    Evidence,
    Need,
    conclude,
    delay,
    missing,
    without_a_call,
)
from handler.values import STUCK, Answer, Instance, Problem, Server, Settlement, Status

RECORD = {"id": "rec_1", "instance_id": "user_1"}
FOUND = {"id": "rec_2", "instance_id": "user_1"}
SAID = Problem("said by create-instance")
LOST = Problem("said by the look-up that failed")

NOTHING = Evidence()
REPEATED = Evidence(met=frozenset({Need.REPEAT}))
RECORD_FOUND = Evidence(met=frozenset({Need.RECORD}), record=FOUND)
NO_RECORD = Evidence(met=frozenset({Need.RECORD}))
RECORD_UNREAD = Evidence(met=frozenset({Need.RECORD}), problem=LOST)
SOME_MISSING = Evidence(met=frozenset({Need.ACCOUNTS}), missing=frozenset({"ac_mail"}))
NONE_MISSING = Evidence(met=frozenset({Need.ACCOUNTS}), missing=frozenset())
ACCOUNTS_UNREAD = Evidence(met=frozenset({Need.ACCOUNTS}), problem=LOST)

FIRST, LAST = 1, MAX_ATTEMPTS
JITTER = 0.5
SOON = delay(FIRST, jitter=JITTER)
LATER = delay(LAST, jitter=JITTER)


def ready(record: dict[str, str] | None) -> Settlement:
    return Settlement(Status.READY, record=record)


def retrying(problem: Problem, due_in: int = SOON) -> Settlement:
    return Settlement(Status.RETRYING, due_in=due_in, problem=problem)


def failed() -> Settlement:
    return Settlement(Status.FAILED, problem=SAID)


def waiting(due_in: int) -> Settlement:
    return Settlement(Status.WAITING, due_in=due_in, missing=frozenset({"ac_mail"}), problem=SAID)


def said(retry_after: float | None) -> Problem:
    return SAID._replace(retry_after=retry_after)


def answer(status: int | None, retry_after: float | None = None) -> Answer:
    return Answer(status, problem=said(retry_after))


@pytest.mark.parametrize(
    ("status", "evidence", "attempts", "then"),
    [
        # Created, but the body is not a record: the list has it.
        (200, NOTHING, FIRST, Need.RECORD),
        (201, NOTHING, FIRST, Need.RECORD),
        (201, RECORD_FOUND, FIRST, ready(FOUND)),
        (201, NO_RECORD, FIRST, ready(None)),
        (201, RECORD_UNREAD, FIRST, ready(None)),
        # It exists already: adopted, with its record or without.
        (409, NOTHING, FIRST, Need.RECORD),
        (409, RECORD_FOUND, FIRST, ready(FOUND)),
        (409, NO_RECORD, LAST, ready(None)),
        (409, RECORD_UNREAD, FIRST, ready(None)),
        # A bad request, or an old way to say that it exists: the list tells.
        (400, NOTHING, FIRST, Need.RECORD),
        (400, RECORD_FOUND, FIRST, ready(FOUND)),
        (400, NO_RECORD, FIRST, failed()),
        (400, RECORD_UNREAD, FIRST, retrying(LOST)),
        (400, RECORD_UNREAD, LAST, retrying(LOST, LATER)),
        # Accounts are missing, says Composio: which ones?
        (403, NOTHING, FIRST, Need.ACCOUNTS),
        (403, SOME_MISSING, FIRST, waiting(SOON)),
        (403, SOME_MISSING, LAST + 1, waiting(LATER)),
        (403, NONE_MISSING, FIRST, retrying(SAID)),
        (403, NONE_MISSING, LAST - 1, retrying(SAID, delay(LAST - 1, jitter=JITTER))),
        (403, NONE_MISSING, LAST, failed()),
        (403, NONE_MISSING, LAST + 1, failed()),
        (403, ACCOUNTS_UNREAD, FIRST, retrying(LOST)),
        (403, ACCOUNTS_UNREAD, LAST, retrying(LOST, LATER)),
        # A person rotates the key; nothing is lost, however long it takes.
        (401, NOTHING, FIRST, retrying(SAID)),
        (401, NOTHING, LAST, retrying(SAID, LATER)),
        # Busy, broken or unknown: once more at once, then later, for as long as it takes.
        (None, NOTHING, FIRST, Need.REPEAT),
        (None, REPEATED, FIRST, retrying(SAID)),
        (None, REPEATED, LAST, retrying(SAID, LATER)),
        (408, NOTHING, FIRST, Need.REPEAT),
        (408, REPEATED, FIRST, retrying(SAID)),
        (500, NOTHING, FIRST, Need.REPEAT),
        (500, REPEATED, LAST, retrying(SAID, LATER)),
        (502, NOTHING, LAST, Need.REPEAT),
        (503, REPEATED, FIRST, retrying(SAID)),
        (504, REPEATED, FIRST, retrying(SAID)),
        (599, NOTHING, FIRST, Need.REPEAT),
        (429, NOTHING, FIRST, retrying(SAID)),
        (429, NOTHING, LAST, retrying(SAID, LATER)),
        (429, REPEATED, FIRST, retrying(SAID)),
        # What comes after the repeat is judged like a first answer.
        (403, REPEATED, FIRST, Need.ACCOUNTS),
        (409, REPEATED, FIRST, Need.RECORD),
        # A person is needed.
        (404, NOTHING, FIRST, failed()),
        (410, NOTHING, FIRST, failed()),
        (422, NOTHING, FIRST, failed()),
    ],
)
def test_what_composio_answers_says_what_follows(
    status: int | None, evidence: Evidence, attempts: int, then: Settlement | Need
) -> None:
    assert conclude(answer(status), evidence, attempts=attempts, jitter=JITTER) == then


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("evidence", [NOTHING, REPEATED])
def test_created_instance_is_ready_with_the_record_of_the_answer(
    status: int, evidence: Evidence
) -> None:
    created = Answer(status, record=RECORD)

    assert conclude(created, evidence, attempts=LAST, jitter=JITTER) == ready(RECORD)


def test_every_other_status_fails_at_once_with_what_composio_said() -> None:
    known = {200, 201, 400, 401, 403, 408, 409, 429}

    for status in set(range(100, 500)) - known:
        assert conclude(answer(status), NOTHING, attempts=FIRST, jitter=JITTER) == failed()


@pytest.mark.parametrize(
    ("asked", "due_in"),
    [(None, SOON), (0, SOON), (SOON - 1, SOON), (SOON + 0.5, SOON + 1), (3600.0, 3600)],
)
def test_rate_limit_is_waited_for_but_never_shorter_than_otherwise(
    asked: float | None, due_in: int
) -> None:
    limited = answer(429, retry_after=asked)

    assert conclude(limited, NOTHING, attempts=FIRST, jitter=JITTER) == retrying(
        said(asked), due_in
    )


EVIDENCE = st.fixed_dictionaries(
    {
        "record": st.none() | st.just(FOUND),
        "missing": st.none() | st.just(frozenset()) | st.just(frozenset({"ac_mail"})),
        "problem": st.none() | st.just(LOST),
    }
)
ANSWERS = st.builds(
    Answer,
    status=st.none()
    | st.sampled_from([200, 201, 400, 401, 403, 404, 408, 409, 410, 422, 429, 500, 503])
    | st.integers(100, 999),
    record=st.none() | st.just(RECORD),
    problem=st.builds(said, st.none() | st.floats(0, 3600)),
)


@settings(max_examples=60)
@given(
    answers=st.lists(ANSWERS, min_size=4, max_size=4),
    found=st.lists(EVIDENCE, min_size=4, max_size=4),
    attempts=st.integers(1, 100),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_conclusion_is_reached_with_each_need_met_at_most_once(
    answers: list[Answer], found: list[dict[str, None]], attempts: int, jitter: float
) -> None:
    evidence = NOTHING
    step = conclude(answers[0], evidence, attempts=attempts, jitter=jitter)
    # Whatever is found out, and even if every look-up changed the answer.
    for given_now, now_found in zip(answers[1:], found[1:], strict=True):
        if isinstance(step, Settlement):
            break
        assert step not in evidence.met
        evidence = evidence._replace(met=evidence.met | {step}, **now_found)
        step = conclude(given_now, evidence, attempts=attempts, jitter=jitter)

    assert isinstance(step, Settlement)
    ends = step.status in {Status.READY, *STUCK}
    assert ends is (step.due_in is None)
    assert ends or (step.due_in is not None and step.due_in >= 1)
    assert (step.status is Status.WAITING) is bool(step.missing)
    assert (step.status is Status.READY) is (step.problem is None)
    assert step.status is not Status.CREATING


def test_composio_is_asked_only_about_a_server_that_is_there_and_a_user_who_is_complete() -> None:
    server = Server("srv", frozenset({"ac_mail"}))
    gone = without_a_call(server._replace(gone=True), {"ac_mail"}, FIRST, jitter=JITTER)
    lacking = without_a_call(server, set(), FIRST, jitter=JITTER)

    assert without_a_call(server, {"ac_mail", "ac_chat"}, FIRST, jitter=JITTER) is None
    assert gone
    assert gone.status in STUCK
    assert lacking == Settlement(Status.WAITING, SOON, missing=frozenset({"ac_mail"}))


def test_what_is_missing_is_required_and_not_active() -> None:
    required = frozenset({"ac_mail", "ac_chat"})

    assert missing(required, {"ac_mail", "ac_other"}) == {"ac_chat"}
    assert missing(required, set()) == required
    assert missing(required, {"ac_chat", "ac_mail"}) == frozenset()
    assert missing(frozenset(), {"ac_mail"}) == frozenset()


def test_delay_doubles_up_to_a_quarter_of_an_hour() -> None:
    whole = [delay(attempts, jitter=math.nextafter(1, 0)) for attempts in range(1, 9)]

    assert whole == [15, 30, 60, 120, 240, 480, 900, 900]
    assert delay(10**9, jitter=math.nextafter(1, 0)) == LONGEST_DELAY_SECONDS


def test_delay_without_luck_is_half_as_long() -> None:
    assert [delay(attempts, jitter=0) for attempts in (1, 2, 3, 7)] == [8, 15, 30, 450]


@given(
    attempts=st.integers(1, 10**12),
    jitter=st.floats(0, 1, exclude_max=True),
    other=st.floats(0, 1, exclude_max=True),
)
def test_delay_grows_with_attempts_and_jitter_and_stays_in_bounds(
    attempts: int, jitter: float, other: float
) -> None:
    now = delay(attempts, jitter=jitter)

    assert now <= delay(attempts + 1, jitter=jitter)
    assert delay(attempts, jitter=min(jitter, other)) <= delay(attempts, jitter=max(jitter, other))
    whole = min(FIRST_DELAY_SECONDS * 2 ** min(attempts - 1, 10), LONGEST_DELAY_SECONDS)
    assert whole / 2 <= now + 0.5
    assert now <= whole


@pytest.mark.parametrize(
    ("status", "token", "mine"),
    [
        (Status.CREATING, "mine", True),
        (Status.CREATING, "another", False),
        (Status.READY, "mine", False),
        (Status.RETRYING, "mine", False),
    ],
)
def test_claim_is_held_by_the_token_in_the_row(*, status: Status, token: str, mine: bool) -> None:
    instance = Instance("user_1", "srv_1", status, attempts=1, claim_token=token)

    assert instance.claimed_with("mine") is mine
