"""The path of one fact: record, decide, claim, create, settle; the last three are in `creation`.

The claim is the write-ahead log: from there on the instance is due, and is finished by whoever
comes next, whatever happens to this invocation. Before it, a failure is the caller's to repeat.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from handler.account_table import AccountTable, Facts
from handler.catalog import Catalog, View
from handler.composio import Composio
from handler.creation import Creation, Outcome
from handler.decisions import fingerprint, missing, settled_by
from handler.events import Account, AccountEvent, Ignored, timestamp
from handler.isolation import Isolation
from handler.queue import Queue
from handler.target_table import TargetTable
from handler.targets import OPEN, Status, Target, TargetId
from handler.telemetry import Metric, count, logger

AT_ONCE_SECONDS = 3
"""How long the instances of one event are created before the others are left to the queue."""

CLOCKS_DIFFER_SECONDS = 300
"""An event whose time is further ahead than this proves nothing: the account is read instead."""


class Handled(NamedTuple):
    """What became of one event: `ignored` says why nothing was recorded."""

    outcomes: tuple[Outcome, ...] = ()
    ignored: str | None = None


@dataclass(eq=False)
class Provisioning:
    """Takes facts to their end; deadlines are Unix times to be back at.

    `clock` is Unix seconds, and `name` returns what logs call a user.
    """

    account_table: AccountTable
    target_table: TargetTable
    composio: Composio
    catalog: Catalog
    creation: Creation
    queue: Queue
    clock: Callable[[], float]
    name: Callable[[str], str]

    def handle_event(self, event: AccountEvent | Ignored, *, deadline: float) -> Handled:
        """Record what an event says, and create what it completes.

        Raises:
            Unavailable: The event lacks a deciding field, and Composio cannot be asked for it.
            Exception: DynamoDB did not take the fact, or the claim that follows from it.
        """
        handled = self._handle(event, deadline)
        if handled.ignored:
            logger.info("event ignored", reason=handled.ignored)
            count(Metric.EVENT_IGNORED)
        else:
            statuses = {one.target.sort_key: one.status for one in handled.outcomes}
            logger.info("event handled", statuses=statuses)
        return handled

    def handle_fact(
        self,
        account: Account,
        *,
        deadline: float,
        read_at: float | None = None,
        began: float | None = None,
    ) -> Handled:
        """Record a fact, and create what it completes.

        Args:
            account: What Composio said of a connected account.
            deadline: The Unix time to be back at.
            read_at: The Unix time at which the read at Composio began; None for an event, which
                is received now.
            began: As of `provision`.
        """
        now = self.clock()
        account = account.seen(now if read_at is None else read_at, read=read_at is not None)
        view = self.catalog.known()
        if view.up_to_date and not view.requiring(account.auth_config_id):
            return Handled(ignored="no enrolled MCP server requires the auth config")
        logger.append_keys(user_id=self.name(account.user_id))
        facts = self.account_table.record(account)
        count(Metric.ACCOUNT_RECORDED if facts.recorded else Metric.ACCOUNT_STALE)
        if not view.up_to_date:
            view = self._sync(view, deadline)
        targets = view.requiring(account.auth_config_id)
        began = now if began is None else began
        outcomes = self.provision(account.user_id, targets, facts, deadline=deadline, began=began)
        return Handled(outcomes)

    def reconcile(self, account: Account, *, read_at: float, deadline: float) -> bool:
        """Handle a fact that was read, and is probably known: without a write where it is.

        Returns:
            Whether it was news.
        """
        view = self.catalog.known()
        targets = view.requiring(account.auth_config_id)
        settled = self._settled(account, targets, read_at)
        if settled and targets and view.up_to_date:
            return False
        handled = self.handle_fact(account, read_at=read_at, deadline=deadline)
        return not settled and handled.ignored is None

    def resume(self, user_id: str, key: TargetId, *, deadline: float) -> Outcome | None:
        """Take up a target that is due, or that an event had no time for.

        Facts may have changed since: what is missing now makes it wait, but due once more, as
        the claim keeps out the event that could complete it. After that it rests.

        Returns:
            What it is then; None where there is none, and none to be made.

        Raises:
            Unavailable: What the target requires is not known, and cannot be asked.
        """
        logger.append_keys(user_id=self.name(user_id))
        facts, rows = self.target_table.user(user_id)
        row = rows.get(key)
        if row is None and not facts.accounts:
            return None
        target = self.catalog.target(key, deadline=deadline)
        lacking = missing(target.required, facts.active)
        if row is None and (lacking or target.gone):
            return None
        if row and lacking and row.status is Status.WAITING:
            self.target_table.rest(row)
            return Outcome(key, Status.WAITING, lacking)
        return self.creation.claim_and_create(user_id, target, facts, deadline=deadline)

    def watch(self, user_id: str, account_id: str, *, deadline: float) -> None:
        """Read an account whose link was made here: the browser may never come back.

        Raises:
            Unavailable: Composio cannot be asked.
            Exception: DynamoDB did not take the fact, or the claim that follows from it.
        """
        logger.append_keys(user_id=self.name(user_id), account_id=account_id)
        facts, _ = self.target_table.user(user_id)
        if any(one.id == account_id and one.active for one in facts.accounts):
            return
        began = self.clock()
        found = self.composio.find_account(account_id, user_id, deadline=deadline)
        account = found.fact(user_id) if found else None
        if account and account.status not in OPEN:
            self.handle_fact(account, read_at=began, deadline=deadline)

    def provision(
        self,
        user_id: str,
        targets: Iterable[Target],
        facts: Facts,
        *,
        deadline: float,
        began: float | None = None,
    ) -> tuple[Outcome, ...]:
        """Create for each complete target; what there is no time for is left to the queue.

        Args:
            user_id: Whose they are.
            targets: What is to be created.
            facts: The user's accounts as the table has them.
            deadline: The Unix time to be back at.
            began: From when on the time for them counts; None for now.

        Raises:
            Exception: The first that stopped a claim, after all the others were made.
        """
        began = self.clock() if began is None else began
        outcomes, later, isolation = list[Outcome](), list[str](), Isolation()
        for target in targets:
            if lacking := missing(target.required, facts.active):
                outcomes.append(Outcome(target.key, Status.WAITING, lacking))
            elif self.clock() - began > AT_ONCE_SECONDS:
                later.append(target.key.sort_key)
                outcomes.append(Outcome(target.key, Status.CREATING))
            else:
                create = self.creation.claim_and_create
                with isolation:
                    outcomes.append(create(user_id, target, facts, deadline=deadline))
        self.queue.send({"task": "due", "user_id": user_id, "target": one} for one in later)
        isolation.end()
        return tuple(outcomes)

    def _handle(self, event: AccountEvent | Ignored, deadline: float) -> Handled:
        if isinstance(event, Ignored):
            return Handled(ignored=event.reason)
        logger.append_keys(account_id=event.account_id)
        now = self.clock()
        latest = timestamp(datetime.fromtimestamp(now + CLOCKS_DIFFER_SECONDS, UTC))
        if event.account and event.account.updated_at <= latest:
            return self.handle_fact(event.account, deadline=deadline)
        found = self.composio.get_account(event.account_id, deadline=deadline)
        account = found.fact() if found else None
        if account is None and (event.user_id or found is None):
            # The filter proves the pair, also when the vendor no longer names the user; and that
            # there is no such account is believed of two answers.
            found = self.composio.find_account(event.account_id, event.user_id, deadline=deadline)
            account = found.fact(event.user_id) if found else None
        if account is None:
            return Handled(ignored="Composio does not say whose connected account it is")
        return self.handle_fact(account, read_at=now, deadline=deadline)

    def _settled(self, account: Account, targets: Iterable[Target], read_at: float) -> bool:
        facts, rows = self.target_table.user(account.user_id)
        return account.seen(read_at, read=True).adds_nothing_to(facts.accounts) and all(
            missing(one.required, facts.active)
            or settled_by(rows.get(one.key), fingerprint(one, facts.accounts))
            for one in targets
        )

    def _sync(self, view: View, deadline: float) -> View:
        try:
            return self.catalog.sync(deadline=deadline)
        except Exception:  # noqa: BLE001 - what the catalog lacks is back-filled when it is known
            logger.exception("the catalog is left as it was")
            return view
