"""From a claim to its settlement: create, and see to what the decision asks for."""

from collections.abc import Callable
from dataclasses import replace

from handler.composio import Composio
from handler.decisions import Evidence, Need, conclude, missing, without_a_call
from handler.instances import Answer, Instance, Server, Settlement
from handler.table import Facts, Table
from handler.transport import CALL_SECONDS, Unavailable


class Creation:
    """Calls create-instance; `clock` is Unix seconds, `jitter` in [0, 1)."""

    def __init__(
        self,
        table: Table,
        composio: Composio,
        *,
        clock: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        self._table = table
        self._composio = composio
        self._clock = clock
        self._jitter = jitter

    def conclude(
        self, instance: Instance, server: Server, facts: Facts, *, deadline: float
    ) -> Settlement:
        """Create the instance, and find out whatever its settlement depends on.

        Args:
            instance: Claimed by the caller.
            server: Its MCP server.
            facts: The user's accounts as the table has them; corrected after a 403.
            deadline: The Unix time to be back at.
        """
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
