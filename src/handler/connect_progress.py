"""How far a connect session's user is: what is required, connected, and come of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from handler.catalog import Catalog
from handler.connect_page import AccountLine
from handler.connect_rules import AuthConfigState, ConnectSession, auth_config_states
from handler.decisions import overall
from handler.provisioning import Provisioning
from handler.target_table import TargetTable
from handler.targets import Status, Target

PATIENCE = 3
"""Looks, a second apart, at an instance that is being created."""


class Progress(NamedTuple):
    """The lines of the list, and, once nothing is missing, what has come of each target."""

    accounts: tuple[AccountLine, ...]
    statuses: tuple[Status | None, ...] = ()

    @property
    def status(self) -> Status | None:
        """The one word for all targets; None while something is missing."""
        missing = any(one.state is not AuthConfigState.CONNECTED for one in self.accounts)
        return None if missing else overall(self.statuses)


@dataclass(eq=False)
class ProgressReader:
    """Reads from the table what is known; Composio is asked for nothing here."""

    catalog: Catalog
    target_table: TargetTable
    provisioning: Provisioning
    sleep: Callable[[float], None]

    def required(self, session: ConnectSession) -> dict[str, str]:
        """Return the auth configs that the session is about, each with its toolkit's name."""
        required = {one for target in self._targets(session) for one in target.required}
        toolkits = self.catalog.toolkits()
        named = {one: toolkits.get(one, one) for one in required}
        return dict(sorted(named.items(), key=lambda one: (one[1], one[0])))

    def read(self, session: ConnectSession, *, deadline: float) -> Progress:
        """Return how far the user is; instances that nobody has begun are begun now.

        One that is being created at this moment is waited for: it is ready in a moment.
        """
        progress = self._read(session, deadline)
        for _ in range(PATIENCE):
            if Status.CREATING not in progress.statuses:
                break
            self.sleep(1)
            progress = self._read(session)
        return progress

    def _read(self, session: ConnectSession, deadline: float | None = None) -> Progress:
        """Read it; with a deadline, targets that nobody has begun are begun."""
        facts, rows = self.target_table.user(session.user_id)
        required = self.required(session)
        found = auth_config_states(required, facts.accounts)
        accounts = tuple(AccountLine(one, required[one], state) for one, state in found.items())
        if any(one.state is not AuthConfigState.CONNECTED for one in accounts):
            return Progress(accounts)
        targets = self._targets(session)
        held = {key: row.status for key, row in rows.items()}
        if deadline and (new := [one for one in targets if one.key not in held]):
            begun = self.provisioning.provision(session.user_id, new, facts, deadline=deadline)
            held |= {one.target: one.status for one in begun}
        # One that is not in the catalog, or not yet, cannot be ready.
        unknown = [None] * (len(session.targets) - len(targets))
        return Progress(accounts, (*(held.get(one.key) for one in targets), *unknown))

    def _targets(self, session: ConnectSession) -> list[Target]:
        known = self.catalog.known().targets
        return [one for one in known if one.key.sort_key in session.targets]
