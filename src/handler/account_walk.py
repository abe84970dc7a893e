"""Takes the active accounts of all users from Composio's list, page by page, in turns.

Each account is handled by itself: one that cannot be is set aside, with a message of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from handler.composio import Composio
from handler.events import Account, ConnectedAccount
from handler.provisioning import Provisioning
from handler.queue import Queue
from handler.telemetry import Metric, count, logger
from handler.transport import CALL_SECONDS, Unavailable
from handler.walk_table import Walk

MOST_FAILING = 10
"""When so many users in a row fail, it is not for one of their accounts."""

MOST_SET_ASIDE = 100
"""How many accounts are remembered that have a message of their own."""

MOST_UNNAMED = 3
"""After so many accounts whose user Composio does not name by id either, it is not asked again."""


class Scope(NamedTuple):
    """Which accounts a walk is about; times are Unix seconds."""

    auth_config_ids: frozenset[str] | None
    """Those of these auth configs; None for all."""
    floor: float
    """Those that were created then or later."""
    settled: float
    """Those that were created before are news; of the others there are events, or another walk."""


@dataclass(eq=False)
class Turn:
    """One turn of a walk: from its place until the time is over, or to its end.

    `clock` is Unix seconds, and the deadline a Unix time to be back at.
    """

    composio: Composio
    provisioning: Provisioning
    queue: Queue
    clock: Callable[[], float]
    walk: Walk
    scope: Scope
    deadline: float
    _news: int = 0
    _unnamed: int = 0
    _failing: set[str] = field(default_factory=set)

    def run(self) -> bool:
        """Go on with the walk, and return whether it is at its end; `walk` is where it is then.

        Raises:
            Unavailable: A page cannot be read.
            Exception: One user after the other cannot be handled.
        """
        # However little time there is, one account that is news is handled, or the walk would
        # never come past it.
        stop = self.deadline - min(CALL_SECONDS, (self.deadline - self.clock()) / 2)
        began = self.clock()
        accounts = None
        for place, accounts, following in self.composio.active_accounts(
            self.walk.place, auth_config_ids=self.scope.auth_config_ids, deadline=self.deadline
        ):
            self.walk = self.walk._replace(place=place)
            for account in accounts:
                if _created_before(self.scope.floor, account):
                    continue
                if self._news and self.clock() > stop:
                    return False
                self._take(account, began)
            if accounts and _created_before(self.scope.floor, accounts[-1]):
                break
            if following and self.clock() > stop:
                self.walk = self.walk._replace(place=following)
                return False
            began = self.clock()
        self.walk = self.walk._replace(emptied=self.walk.emptied + 1 if accounts == [] else 0)
        return True

    def _take(self, account: ConnectedAccount, read_at: float) -> None:
        fact = account.fact() or self._named(account)
        if fact is None:
            return
        try:
            news = self.provisioning.reconcile(fact, read_at=read_at, deadline=self.deadline)
        except Exception:
            self._failing.add(fact.user_id)
            if len(self._failing) >= MOST_FAILING:
                raise
            self._news += 1
            self._set_aside(fact)
            return
        self._news += news
        self._failing.clear()
        left = tuple(one for one in self.walk.set_aside if one != account.id)
        old = account.created_at is None or _created_before(self.scope.settled, account)
        self.walk = self.walk._replace(news=self.walk.news + (news and old), set_aside=left)

    def _set_aside(self, fact: Account) -> None:
        if fact.id in self.walk.set_aside:
            return
        logger.exception("an account is set aside")
        count(Metric.ACCOUNT_SET_ASIDE)
        self.queue.send([{"task": "account", "account_id": fact.id, "user_id": fact.user_id}])
        kept = (*self.walk.set_aside, fact.id)[-MOST_SET_ASIDE:]
        self.walk = self.walk._replace(set_aside=kept)

    def _named(self, account: ConnectedAccount) -> Account | None:
        """Return the fact about an account that the list says too little of, by its id."""
        view = self.provisioning.catalog.known()
        of = account.auth_config.id if account.auth_config else None
        if of and view.up_to_date and not view.requiring(of):
            return None
        if self._unnamed < MOST_UNNAMED:
            try:
                found = self.composio.get_account(account.id, deadline=self.deadline)
            except Unavailable:
                found = account
            if found is None:
                return None
            if fact := found.fact():
                self._unnamed = 0
                return fact
            self._unnamed += 1
        count(Metric.ACCOUNT_UNNAMED)
        return None


def _created_before(moment: float, account: ConnectedAccount) -> bool:
    return account.created_at is not None and account.created_at.timestamp() < moment
