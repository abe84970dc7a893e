"""Claims an instance, calls create-instance, and settles what became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from handler.composio import Composio
from handler.decisions import LEASE_SECONDS, Evidence, Need, conclude, missing, without_a_call
from handler.telemetry import Metric, count, logger, took
from handler.transport import CALL_SECONDS, Unavailable
from handler.user_table import Facts, UserTable
from handler.values import STUCK, Instance, Server, Settlement, Status


class Outcome(NamedTuple):
    """What became of one (user, server)."""

    server_id: str
    status: Status
    missing: frozenset[str] = frozenset()


@dataclass(eq=False)
class Creation:
    """Creates instances; `clock` is Unix seconds, `jitter` in [0, 1), `token` unique."""

    user_table: UserTable
    composio: Composio
    clock: Callable[[], float]
    jitter: Callable[[], float]
    token: Callable[[], str]

    def claim_and_create(
        self, user_id: str, server: Server, facts: Facts, *, deadline: float
    ) -> Outcome:
        """Create the instance, unless it is there or another's; return what it is then.

        `facts` are the user's accounts as the table has them, and are corrected there after a 403;
        the deadline is the Unix time to be back at.

        Raises:
            Exception: DynamoDB did not take the claim.
        """
        token, now = self.token(), int(self.clock())
        instance = self.user_table.claim(
            user_id, server, token=token, now=now, lease=LEASE_SECONDS, changed=facts.changed
        )
        if not instance.claimed_with(token):
            return Outcome(server.id, instance.status, instance.missing)
        try:
            settlement = self._conclude(instance, server, facts, deadline)
            now = int(self.clock())
            settled = self.user_table.settle(instance, settlement, now=now)
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
        user_id, attempts, jitter = instance.user_id, instance.attempts, self.jitter()
        if early := without_a_call(server, facts.active, attempts, jitter=jitter):
            return early
        create = partial(self.composio.create_instance, server.id, user_id, deadline=deadline)
        answer, evidence = create(), Evidence()
        while True:
            step = conclude(answer, evidence, attempts=attempts, jitter=jitter)
            if isinstance(step, Settlement):
                return step
            evidence = evidence._replace(met=evidence.met | {step})
            try:
                match step:
                    case Need.REPEAT if deadline - self.clock() >= CALL_SECONDS:
                        answer = create()
                    case Need.RECORD:
                        found = self.composio.find_instance(server.id, user_id, deadline=deadline)
                        evidence = evidence._replace(record=found)
                    case Need.ACCOUNTS:
                        lacking = self._correct(user_id, server, facts, deadline)
                        evidence = evidence._replace(missing=lacking)
            except Unavailable as nothing:
                evidence = evidence._replace(problem=nothing.problem)

    def _correct(
        self, user_id: str, server: Server, facts: Facts, deadline: float
    ) -> frozenset[str]:
        """Make the facts what Composio says now, and return what is missing by its word."""
        there = list(self.composio.list_accounts(user_id, deadline=deadline))
        said = [fact for one in there if (fact := one.fact(user_id))]
        for fact in said:
            if fact not in facts.accounts:
                self.user_table.record(fact)
        ids = {one.id for one in there}
        for account in facts.accounts:
            if account.id not in ids:
                self.user_table.withdraw(account)
        return missing(server.required, {one.auth_config_id for one in said if one.active})


def _tell(instance: Instance, settlement: Settlement) -> None:
    stuck = settlement.status in STUCK
    count(Metric.INSTANCE_FAILED if stuck else Metric[f"INSTANCE_{settlement.status.name}"])
    tell = logger.error if stuck else logger.info
    tell(
        "instance settled",
        server_id=instance.server_id,
        status=settlement.status,
        missing=sorted(settlement.missing),
        attempts=instance.attempts,
        due_in=settlement.due_in,
        problem=settlement.problem and settlement.problem._asdict(),
    )
