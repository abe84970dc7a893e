"""The way of one fact: record -> decide -> claim -> create -> settle; the last three in `creation`.

The claim is the write-ahead log: from there on the instance is due, and is finished by whoever
comes next, whatever happens to this invocation. Before it, a failure is the caller's to repeat.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from handler.catalog import Catalog, View
from handler.composio import Composio
from handler.creation import Creation, Outcome
from handler.decisions import missing
from handler.events import Account, AccountEvent, Ignored
from handler.telemetry import Metric, count, hashed, logger
from handler.user_table import Facts, UserTable
from handler.values import ENDED, Server, Status


class Handled(NamedTuple):
    """What became of one event: `ignored` says why nothing was recorded."""

    outcomes: tuple[Outcome, ...] = ()
    ignored: str | None = None


@dataclass(eq=False)
class Provisioning:
    """Takes facts to their end; deadlines are Unix times to be back at.

    `name` returns what logs call a user.
    """

    user_table: UserTable
    composio: Composio
    catalog: Catalog
    creation: Creation
    name: Callable[[str], str] = hashed

    def handle_event(self, event: AccountEvent | Ignored, *, deadline: float) -> Handled:
        """Take an event to its end.

        Raises:
            Unavailable: The event lacks a deciding field, and Composio cannot be asked for it.
            Exception: DynamoDB did not take the fact, or the claim that follows from it.
        """
        seen = self._handle(event, deadline)
        if seen.ignored:
            logger.info("event ignored", reason=seen.ignored)
            count(Metric.EVENT_IGNORED)
        else:
            logger.info(
                "event taken", statuses={one.server_id: one.status for one in seen.outcomes}
            )
        return seen

    def handle_fact(self, account: Account, *, deadline: float) -> Handled:
        """Take a fact to its end."""
        view = self.catalog.known()
        if view.up_to_date and not view.requiring(account.auth_config_id):
            return Handled(ignored="no enrolled MCP server requires the auth config")
        logger.append_keys(user_id=self.name(account.user_id))
        facts = self.user_table.record(account)
        count(Metric.ACCOUNT_RECORDED if facts.changed else Metric.ACCOUNT_STALE)
        if not view.up_to_date:
            view = self._sync(view, deadline)
        servers = view.requiring(account.auth_config_id)
        return Handled(
            tuple(self._provision(account.user_id, one, facts, deadline) for one in servers)
        )

    def reconcile(self, account: Account, *, deadline: float) -> None:
        """Take a fact that is probably known: it is decided again, without a write if it is."""
        if not self._concluded(account):
            self.handle_fact(account, deadline=deadline)

    def resume(self, user_id: str, server_id: str, *, deadline: float) -> Outcome | None:
        """Take up an instance that is due; None where there is none.

        Facts may have changed since: what is missing now makes it wait, but due once more, as
        the claim keeps out the event that could complete it. The time after, it rests.

        Raises:
            Unavailable: What the MCP server requires is not known, and cannot be asked.
        """
        logger.append_keys(user_id=self.name(user_id))
        facts, instances = self.user_table.user(user_id)
        instance = instances.get(server_id)
        if instance is None:
            return None
        server = self.catalog.server(server_id, deadline=deadline)
        lacking = missing(server.required, facts.active)
        if lacking and instance.status is Status.WAITING:
            self.user_table.rest(instance)
            return Outcome(server_id, Status.WAITING, lacking)
        return self.creation.claim_and_create(user_id, server, facts, deadline=deadline)

    def _handle(self, event: AccountEvent | Ignored, deadline: float) -> Handled:
        if isinstance(event, Ignored):
            return Handled(ignored=event.reason)
        logger.append_keys(account_id=event.account_id)
        account = event.account
        if account is None:
            found = self.composio.get_account(event.account_id, deadline=deadline)
            account = found.fact() if found else None
        if account is None:
            return Handled(ignored="Composio does not say whose connected account it is")
        return self.handle_fact(account, deadline=deadline)

    def _provision(self, user_id: str, server: Server, facts: Facts, deadline: float) -> Outcome:
        if lacking := missing(server.required, facts.active):
            return Outcome(server.id, Status.WAITING, lacking)
        return self.creation.claim_and_create(user_id, server, facts, deadline=deadline)

    def _concluded(self, account: Account) -> bool:
        view = self.catalog.known()
        servers = view.requiring(account.auth_config_id)
        if not (view.up_to_date and servers):
            return False
        facts, instances = self.user_table.user(account.user_id)
        ended = {one.server_id for one in instances.values() if one.status in ENDED}
        return account in facts.accounts and all(
            one.id in ended or missing(one.required, facts.active) for one in servers
        )

    def _sync(self, view: View, deadline: float) -> View:
        try:
            return self.catalog.sync(deadline=deadline)
        except Exception:  # noqa: BLE001 - what the catalog lacks is back-filled when it is known
            logger.exception("the catalog is left as it was")
            return view
