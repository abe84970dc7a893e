"""The way of one fact: record -> decide -> claim -> create -> settle.

The claim is the write-ahead log: from there on the instance is due, and is finished by whoever
comes next, whatever happens to this invocation. Before it, a failure is the caller's to repeat.
"""

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass

from handler.catalog import Catalog, View
from handler.composio import Composio
from handler.creation import Creation
from handler.decisions import LEASE_SECONDS, missing
from handler.events import Account, AccountEvent, Ignored
from handler.instances import Instance, Server, Settlement, Status
from handler.table import Facts, Table
from handler.telemetry import Metric, count, hashed, logger, took


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one (user, server)."""

    server_id: str
    status: Status
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of one event: `ignored` says why nothing was recorded."""

    outcomes: tuple[Outcome, ...] = ()
    ignored: str | None = None


class Provisioning:
    """Takes facts to their end.

    `clock` is Unix seconds, `jitter` in [0, 1), `token` unique, `name` what logs call a user.
    """

    def __init__(
        self,
        table: Table,
        composio: Composio,
        catalog: Catalog,
        *,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        token: Callable[[], str] = lambda: uuid.uuid4().hex,
        name: Callable[[str], str] = hashed,
    ) -> None:
        self._table = table
        self._composio = composio
        self._catalog = catalog
        self._creation = Creation(table, composio, clock=clock, jitter=jitter)
        self._clock = clock
        self._token = token
        self._name = name

    def take(self, event: AccountEvent | Ignored, *, deadline: float) -> Seen:
        """Take an event to its end; `deadline` is the Unix time to be back at.

        Raises:
            Unavailable: The event lacks a deciding field, and Composio cannot be asked for it.
            Exception: DynamoDB did not take the fact, or the claim that follows from it.
        """
        seen = self._take(event, deadline)
        if seen.ignored:
            logger.info("event ignored", reason=seen.ignored)
            count(Metric.EVENT_IGNORED)
        else:
            statuses = {outcome.server_id: outcome.status for outcome in seen.outcomes}
            logger.info("event taken", statuses=statuses)
        return seen

    def _take(self, event: AccountEvent | Ignored, deadline: float) -> Seen:
        if isinstance(event, Ignored):
            return Seen(ignored=event.reason)
        logger.append_keys(account_id=event.account_id)
        account = event.account or self._look_up(event.account_id, deadline)
        if account is None:
            return Seen(ignored="Composio does not say whose connected account it is")
        return self.see(account, deadline=deadline)

    def see(self, account: Account, *, deadline: float) -> Seen:
        """Take a fact to its end; `deadline` is the Unix time to be back at."""
        view = self._catalog.known()
        if view.fresh and not view.requiring(account.auth_config_id):
            return Seen(ignored="no enrolled MCP server requires the auth config")
        logger.append_keys(user_id=self._name(account.user_id))
        facts = self._table.record(account)
        count(Metric.ACCOUNT_RECORDED if facts.fresh else Metric.ACCOUNT_STALE)
        if not view.fresh:
            view = self._sync(view, deadline)
        return Seen(
            tuple(
                self._provision(account.user_id, server, facts, deadline)
                for server in view.requiring(account.auth_config_id)
            )
        )

    def _sync(self, view: View, deadline: float) -> View:
        try:
            return self._catalog.sync(deadline=deadline)
        except Exception:  # noqa: BLE001 - what the catalog lacks is back-filled when it is known
            logger.exception("the catalog is left as it was")
            return view

    def _look_up(self, account_id: str, deadline: float) -> Account | None:
        found = self._composio.get_account(account_id, deadline=deadline)
        return found.fact() if found else None

    def finish(self, user_id: str, server_id: str, *, deadline: float) -> Outcome | None:
        """Take up an instance that is due; None where there is none.

        Facts may have changed since: what is missing now makes it wait, but due once more, as
        the claim keeps out the event that could complete it. The time after, it rests.

        Raises:
            Unavailable: What the MCP server requires is not known, and cannot be asked.
        """
        logger.append_keys(user_id=self._name(user_id))
        facts, instances = self._table.user(user_id)
        instance = instances.get(server_id)
        if instance is None:
            return None
        server = self._catalog.server(server_id, deadline=deadline)
        lacking = missing(server.required, facts.active)
        if lacking and instance.status is Status.WAITING:
            self._table.rest(instance)
            return Outcome(server_id, Status.WAITING, lacking)
        return self._claim(user_id, server, facts, deadline)

    def _provision(self, user_id: str, server: Server, facts: Facts, deadline: float) -> Outcome:
        lacking = missing(server.required, facts.active)
        if lacking:
            return Outcome(server.id, Status.WAITING, lacking)
        return self._claim(user_id, server, facts, deadline)

    def _claim(self, user_id: str, server: Server, facts: Facts, deadline: float) -> Outcome:
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
            settlement = self._creation.conclude(instance, server, facts, deadline=deadline)
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
