"""The way's second half: a claim, the create call and what it asks for, the settlement."""

import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

from handler.composio import Composio
from handler.decisions import LEASE_SECONDS, Evidence, Need, conclude, missing, without_a_call
from handler.instances import Answer, Instance, Server, Settlement, Status
from handler.table import Facts, Table
from handler.telemetry import Metric, count, logger, took
from handler.transport import CALL_SECONDS, Unavailable

MEMORY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one (user, server)."""

    server_id: str
    status: Status
    missing: frozenset[str] = frozenset()


class Creation:
    """Creates instances; `clock` is Unix seconds, `jitter` in [0, 1), `token` unique."""

    def __init__(
        self,
        table: Table,
        composio: Composio,
        *,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        token: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._table = table
        self._composio = composio
        self._clock = clock
        self._jitter = jitter
        self._token = token
        self._ready: Mapping[tuple[str, str], float] = {}

    def take(self, user_id: str, server: Server, facts: Facts, *, deadline: float) -> Outcome:
        """Create the instance, unless it is there or another's; return what it is then.

        Args:
            user_id: The user.
            server: The MCP server.
            facts: The user's accounts as the table has them; corrected after a 403.
            deadline: The Unix time to be back at.

        Raises:
            Exception: DynamoDB did not take the claim.
        """
        # No claim can be had on what is ready: for a minute, none is tried.
        now, one = self._clock(), (user_id, server.id)
        if now < self._ready.get(one, 0):
            return Outcome(server.id, Status.READY)
        outcome = self._take(user_id, server, facts, deadline)
        if outcome.status is Status.READY:
            known = {other: until for other, until in self._ready.items() if now < until}
            self._ready = {**known, one: now + MEMORY_SECONDS}
        return outcome

    def forget(self, user_id: str) -> None:
        """Remember nothing of a user who may have been erased since."""
        self._ready = {one: until for one, until in self._ready.items() if one[0] != user_id}

    def _take(self, user_id: str, server: Server, facts: Facts, deadline: float) -> Outcome:
        token = self._token()
        instance = self._table.claim(
            user_id,
            server,
            token=token,
            now=int(self._clock()),
            lease=LEASE_SECONDS,
            fresh=facts.fresh,
        )
        if not instance.claimed_with(token):
            return Outcome(server.id, instance.status, instance.missing)
        try:
            settlement = self._conclude(instance, server, facts, deadline)
            now = int(self._clock())
            settled = self._table.settle(user_id, server.id, settlement, token=token, now=now)
        except Exception:  # noqa: BLE001 - the claim is stored: when its lease ends, it is due
            logger.exception("the claim is left to the sweep", server_id=server.id)
            return Outcome(server.id, Status.CREATING)
        if not settled:
            logger.warning("the claim was lost before it was settled", server_id=server.id)
            return Outcome(server.id, Status.CREATING)
        _tell(instance, settlement)
        newest = facts.newest(server.required)
        if settlement.status is Status.READY and newest is not None:
            took(Metric.TIME_TO_READY, now - newest)
        return Outcome(server.id, settlement.status, settlement.missing)

    def _conclude(
        self, instance: Instance, server: Server, facts: Facts, deadline: float
    ) -> Settlement:
        jitter = self._jitter()
        if early := without_a_call(server, facts.active, instance.attempts, jitter=jitter):
            return early
        evidence = Evidence()
        answer = self._composio.create_instance(server.id, instance.user_id, deadline=deadline)
        while True:
            step = conclude(answer, evidence, attempts=instance.attempts, jitter=jitter)
            if isinstance(step, Settlement):
                return step
            evidence = replace(evidence, met=evidence.met | {step})
            try:
                match step:
                    case Need.REPEAT:
                        answer = self._repeat(answer, instance, deadline)
                    case Need.RECORD:
                        record = self._composio.find_instance(
                            server.id, instance.user_id, deadline=deadline
                        )
                        evidence = replace(evidence, record=record)
                    case Need.ACCOUNTS:
                        lacking = self._correct(instance.user_id, server, facts, deadline)
                        evidence = replace(evidence, missing=lacking)
            except Unavailable as nothing:
                evidence = replace(evidence, problem=nothing.problem)

    def _repeat(self, answer: Answer, instance: Instance, deadline: float) -> Answer:
        if deadline - self._clock() < CALL_SECONDS:
            return answer
        return self._composio.create_instance(
            instance.server_id, instance.user_id, deadline=deadline
        )

    def _correct(
        self, user_id: str, server: Server, facts: Facts, deadline: float
    ) -> frozenset[str]:
        """Make the facts what Composio says now, and return what is missing by its word."""
        there = list(self._composio.list_accounts(user_id, deadline=deadline))
        said = [fact for one in there if (fact := one.fact(user_id))]
        for fact in said:
            if fact not in facts.accounts:
                self._table.record(fact)
        ids = {one.id for one in there}
        for account in facts.accounts:
            if account.id not in ids:
                self._table.withdraw(account)
        return missing(server.required, {one.auth_config_id for one in said if one.active})


def _tell(instance: Instance, settlement: Settlement) -> None:
    count(Metric[f"INSTANCE_{settlement.status.name}"])
    problem = settlement.problem
    logger.info(
        "instance settled",
        server_id=instance.server_id,
        status=settlement.status,
        missing=sorted(settlement.missing),
        attempts=instance.attempts,
        due_in=settlement.due_in,
        problem=asdict(problem) if problem else None,
    )
