"""Claims a target, makes the create call, and settles what became of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from handler.account_table import AccountTable, Facts
from handler.composio import MOST_SEARCHED_PAGES, Composio
from handler.decisions import (
    LEASE_SECONDS,
    MAX_FORBIDDEN,
    Meaning,
    failed,
    fingerprint,
    may_have_created,
    meaning,
    missing,
    ready,
    repeats_at_once,
    retrying,
    waiting,
)
from handler.target_table import TargetTable
from handler.targets import Answer, Kind, Problem, Settlement, Status, Target, TargetId, TargetRow
from handler.telemetry import Metric, count, logger, took
from handler.transport import CALL_SECONDS, Unavailable

NOT_ENROLLED = Problem("the MCP server or session profile does not exist, or is not enrolled")


class Outcome(NamedTuple):
    """What became of one (user, target)."""

    target: TargetId
    status: Status
    missing: frozenset[str] = frozenset()


@dataclass(eq=False)
class Creation:
    """Creates targets; `clock` is Unix seconds, `jitter` in [0, 1), `token` unique."""

    account_table: AccountTable
    target_table: TargetTable
    composio: Composio
    clock: Callable[[], float]
    jitter: Callable[[], float]
    token: Callable[[], str]

    def claim_and_create(
        self, user_id: str, target: Target, facts: Facts, *, deadline: float
    ) -> Outcome:
        """Create the target, unless it is there or another's; return what it is then.

        `facts` are the user's accounts as the table has them, and are corrected there after a 403;
        the deadline is the Unix time to be back at.

        Raises:
            Exception: DynamoDB did not take the claim.
        """
        tried = fingerprint(target, facts.accounts)
        token, now = self.token(), int(self.clock())
        claimed = self.target_table.claim(
            user_id, target, tried=tried, token=token, now=now, lease=LEASE_SECONDS
        )
        if not claimed.claimed_with(token):
            return Outcome(target.key, claimed.status, claimed.missing)
        if claimed.interrupted:
            _left_over(target, {"message": "the claim before this one was never settled"})
        try:
            settlement = self._create(claimed, target, facts, deadline)
            now = int(self.clock())
            settled = self.target_table.settle(claimed, settlement, now=now)
        except Exception:  # noqa: BLE001 - the claim is stored: when its lease ends, it is due
            logger.exception("the claim is left to the sweep", target=target.key.sort_key)
            return Outcome(target.key, Status.CREATING)
        if not settled:
            logger.warning("the claim was lost before it was settled", target=target.key.sort_key)
            if settlement.record:
                _left_over(target, settlement.record)
            return Outcome(target.key, Status.CREATING)
        _tell(claimed, settlement)
        newest = facts.newest(target.required)
        if settlement.status is Status.READY and newest is not None:
            took(Metric.TIME_TO_READY, now - newest)
        return Outcome(target.key, settlement.status, settlement.missing)

    def _create(
        self, claimed: TargetRow, target: Target, facts: Facts, deadline: float
    ) -> Settlement:
        jitter, now = self.jitter(), int(self.clock())
        if target.gone:
            return failed(claimed, NOT_ENROLLED, now=now, jitter=jitter)
        if lacking := missing(target.required, facts.active):
            return waiting(claimed, lacking, jitter=jitter)
        answer = self._call(claimed, target, deadline)
        problem = answer.problem
        match meaning(answer):
            case Meaning.CREATED:
                return ready(answer.record, answer.url)
            case Meaning.EXISTS if target.kind is Kind.INSTANCE:
                # It is there, whether the list's first page shows its record or not.
                return ready(self._find(claimed, deadline, pages=1)[0])
            case Meaning.EXISTS | Meaning.UNCLEAR:
                return self._unclear(claimed, answer, deadline)
            case Meaning.FORBIDDEN:
                correct = partial(self._correct, claimed.user_id, target, facts, deadline)
                return self._forbidden(claimed, problem, correct)
            case Meaning.LATER:
                return retrying(claimed, problem, jitter=jitter)
        return failed(claimed, problem, now=now, jitter=jitter)

    def _call(self, claimed: TargetRow, target: Target, deadline: float) -> Answer:
        answer = self._call_once(claimed.user_id, target, deadline)
        if repeats_at_once(answer) and deadline - self.clock() >= CALL_SECONDS:
            return self._call_once(claimed.user_id, target, deadline)
        return answer

    def _call_once(self, user_id: str, target: Target, deadline: float) -> Answer:
        answer = self.composio.create(target, user_id, deadline=deadline)
        if may_have_created(answer):
            _left_over(target, answer.problem.loggable())
        return answer

    def _unclear(self, claimed: TargetRow, answer: Answer, deadline: float) -> Settlement:
        """Settle a call whose answer does not say whether what it is for is there."""
        problem, unavailable, jitter = answer.problem, None, self.jitter()
        if claimed.target.kind is Kind.INSTANCE:
            record, unavailable = self._find(claimed, deadline)
            if record:
                return ready(record)
        elif may_have_created(answer):
            return self._counted(claimed, problem)
        if unavailable or answer.status != 400 or not problem.enveloped:
            return retrying(claimed, unavailable or problem, jitter=jitter)
        return failed(claimed, problem, now=int(self.clock()), jitter=jitter)

    def _find(
        self, claimed: TargetRow, deadline: float, *, pages: int = MOST_SEARCHED_PAGES
    ) -> tuple[Mapping[str, str] | None, Problem | None]:
        """Return the record of the instance, or why the list of instances cannot be read."""
        try:
            found = self.composio.find_instance(
                claimed.target.name, claimed.user_id, deadline=deadline, pages=pages
            )
        except Unavailable as nothing:
            return None, nothing.problem
        return found, None

    def _forbidden(
        self, claimed: TargetRow, problem: Problem, correct: Callable[[], frozenset[str]]
    ) -> Settlement:
        jitter = self.jitter()
        try:
            lacking = correct()
        except Unavailable as nothing:
            again = nothing.problem
            return retrying(claimed, again, jitter=jitter, forbidden=claimed.forbidden)
        if lacking:
            return waiting(claimed, lacking, jitter=jitter, problem=problem)
        return self._counted(claimed, problem)

    def _counted(self, claimed: TargetRow, problem: Problem) -> Settlement:
        """Fail after so many answers of the kind in a row, and not before."""
        jitter, forbidden = self.jitter(), claimed.forbidden + 1
        if forbidden < MAX_FORBIDDEN:
            return retrying(claimed, problem, jitter=jitter, forbidden=forbidden)
        return failed(claimed, problem, now=int(self.clock()), jitter=jitter)

    def _correct(
        self, user_id: str, target: Target, facts: Facts, deadline: float
    ) -> frozenset[str]:
        """Make the facts what Composio says now, and return what is missing by its word.

        An account that is not in the list is believed to be deleted only where Composio does not
        know its id, either.
        """
        began = self.clock()
        listed = {one.id: one for one in self.composio.list_accounts(user_id, deadline=deadline)}
        said = {one.id: one.fact(user_id) for one in listed.values()}
        for known in facts.accounts:
            if known.id not in said and known.active and known.meets(target.required):
                found = self.composio.get_account(known.id, deadline=deadline)
                if found is None or found.user_id not in {None, user_id}:
                    said[known.id] = known.deleted(began)
                else:
                    said[known.id] = found.fact(user_id)
        read = {name: fact.seen(began, read=True) for name, fact in said.items() if fact}
        for fact in read.values():
            if not fact.adds_nothing_to(facts.accounts):
                self.account_table.record(fact)
        now = {**{one.id: one for one in facts.accounts}, **read}
        return missing(target.required, {one.auth_config_id for one in now.values() if one.active})


def _tell(claimed: TargetRow, settlement: Settlement) -> None:
    failed_anew = settlement.status is Status.FAILED and claimed.failed_at is None
    if failed_anew or settlement.status is not Status.FAILED:
        count(Metric[f"TARGET_{settlement.status.name}"])
    tell = logger.error if failed_anew else logger.info
    tell(
        "target settled",
        target=claimed.target.sort_key,
        status=settlement.status,
        missing=sorted(settlement.missing),
        attempts=claimed.attempts,
        due_in=settlement.due_in,
        problem=settlement.problem and settlement.problem.loggable(),
    )


def _left_over(target: Target, known: Mapping[str, Any]) -> None:
    """Tell of a session that may exist although no row will ever name it."""
    if target.kind is not Kind.INSTANCE:
        count(Metric.SESSIONS_LEFT_OVER)
        logger.warning("a session may be left over", known=dict(known), target=target.key.sort_key)
