"""The promises of the design, as conditions on the table and the state."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from handler.creation import NOT_ENROLLED
from handler.dynamodb import from_item
from handler.target_table import TARGETS
from handler.targets import Kind, TargetId
from tests.world import PROFILE

if TYPE_CHECKING:
    from tests.exploration.state import State

type Rows = Mapping[tuple[str, str], Mapping[str, Any]]


class Promise(StrEnum):
    """What must hold, as a report words it."""

    ONE_CALL = "at most one create call is in flight"
    ONE_OUTCOME = "the outcome is stored once"
    TRUE = "ready means that it exists"
    KEPT = "nothing acknowledged is lost"
    FINISHES = "it finishes by itself"
    NOT_FINAL = "nothing odd is final"
    ISOLATED = "one never stops the others"
    ORDER = "an older fact never overwrites a newer one"
    BOUNDED = "round trips are bounded"
    LEFT_OVER = "a session that no row names is counted"
    NO_POISON = "the dead-letter queue stays empty"
    NEVER_DESTROYS = "DELETE is never called"


class BrokenPromise(BaseException):
    """A promise was broken; a BaseException, so that nothing in the handler catches it."""

    def __init__(self, promise: Promise, why: str) -> None:
        super().__init__(f"{promise}: {why}")
        self.promise = promise


checked_promises = set(Promise)
"""The promises that are looked at; all, but where a mutant is to be caught by one of them."""


def require_that(held: object, promise: Promise, why: str) -> None:
    """End the history if a promise does not hold."""
    if not held and promise in checked_promises:
        raise BrokenPromise(promise, why)


def check_change(old: Mapping[str, Any], new: Mapping[str, Any], state: "State") -> None:
    """Check one change of the table as it is made."""
    sort_key = (new or old)["sk"]["S"]
    if sort_key == "ACCOUNTS":
        _check_facts(from_item(old), from_item(new))
    elif sort_key.startswith(TARGETS):
        target = TargetId.of(sort_key)
        before, after = from_item(old), from_item(new)
        ready = before.get("status") == "ready"
        require_that(not ready, Promise.ONE_OUTCOME, f"ready became {after.get('status')}")
        if after.get("status") == "failed":
            why = after["last_error"]["message"]
            meant = _may_fail(target, why, state)
            require_that(meant, promise_if_unfinished(state), f"failed without a reason: {why}")
        if after.get("status") == "ready":
            user = after["pk"].removeprefix("USER#")
            there = _exists(target, user, after.get("record"), state)
            require_that(there, Promise.TRUE, f"there is no {sort_key} of {user}")


def _may_fail(target: TargetId, why: str, state: "State") -> bool:
    of_a_server = target.kind is Kind.INSTANCE
    if why == NOT_ENROLLED.message:
        return target.name not in state.enrolled.split(",") if of_a_server else not state.profile
    return state.refused or (of_a_server and state.sunset)


def _exists(target: TargetId, user: str, record: Any, state: "State") -> bool:
    if target.kind is Kind.INSTANCE:
        return (target.name, user) in state.instances
    return state.sessions[int(record["session_id"].removeprefix("trs_")) - 1] == user


def _check_facts(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    for name, old in before.items():
        new = after.get(name)
        if not name.startswith("account#") or new is None:
            continue
        if new["read"] and new["seen_at"] >= old["seen_at"]:
            continue  # what is read at Composio outranks what was received before
        older, newer = _rank(old), _rank(new)
        require_that(older <= newer, Promise.ORDER, f"{name}: {newer} overwrote {older}")


def _rank(fact: Mapping[str, Any]) -> tuple[str, bool]:
    return fact["updated_at"], fact["status"] == "ACTIVE" and not fact["is_disabled"]


def check_acknowledged(told: Iterable[tuple[str, str, str]], rows: Rows) -> None:
    """Every fact that was acknowledged is in the table, or a newer one of the account is."""
    for user, account, updated_at in told:
        facts = rows.get((f"USER#{user}", "ACCOUNTS"), {})
        held = facts.get(f"account#{account}", {}).get("updated_at")
        kept = held is not None and held >= updated_at
        require_that(kept, Promise.KEPT, f"{account} of {updated_at}: table has {held!r}")


def promise_if_unfinished(state: "State") -> Promise:
    """Return the promise that is broken if something does not finish."""
    if state.full_users:
        return Promise.ISOLATED
    return Promise.NOT_FINAL if state.odd_answer_at else Promise.FINISHES


def check_end(state: "State", rows: Rows) -> None:
    """Check the table when nothing is left to do."""
    check_acknowledged(state.acknowledged, rows)
    finishes = promise_if_unfinished(state)
    dead = [one for one in state.dead_letters if not state.concerns_full_user(one)]
    require_that(not dead, Promise.NO_POISON, f"dead letters: {dead}")
    _check_sessions(state, rows)
    for user, server in () if state.sunset else state.pairs():
        row = rows.get((f"USER#{user}", f"INSTANCE#{server}"), {})
        status = row.get("status", "waiting")
        exists = (server, user) in state.instances
        if state.complete(user, server):
            require_that(exists, finishes, f"{user} is complete, and has no instance ({status})")
            require_that(status == "ready", finishes, f"{user} is complete, but {status}")
        else:
            require_that(status in {"waiting", "ready"}, finishes, f"incomplete, but {status}")
            require_that(
                exists or status == "waiting", Promise.TRUE, f"{user} has none, but is {status}"
            )
    allowed = len({pair for pair, _ in state.create_counts}) + state.faults
    calls = sum(number for _, number in state.create_counts) - state.rejected_creates
    require_that(calls <= allowed, Promise.BOUNDED, f"{calls} create calls, {state.faults} faults")


def _check_sessions(state: "State", rows: Rows) -> None:
    stored = 0
    for user in state.users() if state.profile else ():
        status = rows.get((f"USER#{user}", PROFILE.key.sort_key), {}).get("status", "waiting")
        stored += status == "ready"
        lacking = state.missing(user, state.profile)
        right = {"waiting", "ready"} if lacking else {"ready"}
        require_that(
            status in right,
            promise_if_unfinished(state),
            f"{user} lacks {lacking}, and is {status}",
        )
    over = len(state.sessions) - stored
    require_that(
        over <= state.left_over, Promise.LEFT_OVER, f"{over} sessions, {state.left_over} told"
    )
