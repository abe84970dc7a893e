"""Links at Composio for a connect session, and what becomes of them.

A link is made by whoever claims the auth config first, and counted before it is made. What a
browser says about an account is never believed: Composio is asked, and each question is counted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from handler.composio import Composio
from handler.connect_rules import LINK_SECONDS, WATCH_DELAYS, Attempt, ConnectSession, digest
from handler.connect_table import ConnectTable
from handler.events import ConnectedAccount
from handler.isolation import Isolation
from handler.provisioning import Provisioning
from handler.queue import Queue
from handler.targets import OPEN
from handler.telemetry import Metric, count, logger
from handler.transport import Unavailable

PATIENCE = 3
"""Seconds, and looks, for which somebody waits for another click, or for a consent to be seen."""


class Click(Enum):
    """What came of a click that led to no link."""

    CONNECTED = auto()
    BUSY = auto()
    SPENT = auto()


class Verification(Enum):
    """What became of a browser that Composio sent to be verified."""

    DONE = auto()
    REFUSED = auto()
    LATE = auto()


class Claim(NamedTuple):
    """What a click may do alone for a while: make, or hand out, the link of one auth config."""

    session: ConnectSession
    auth_config_id: str
    attempt: Attempt


@dataclass(eq=False)
class Links:
    """Makes links and looks after them; `clock` is Unix seconds, `token` unique.

    Deadlines are Unix times to be back at.
    """

    table: ConnectTable
    composio: Composio
    provisioning: Provisioning
    queue: Queue
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    token: Callable[[], str]

    def take(
        self, session: ConnectSession, auth_config_id: str, *, required: int, deadline: float
    ) -> str | Click:
        """Return the URL of a link for this auth config, or why there is none.

        The session, which is about so many auth configs, was read just now. Unavailable is raised
        where Composio does not answer, or makes no link.
        """
        token, now = self.token(), int(self.clock())
        held, attempt = self.table.claim(session, auth_config_id, token=token, now=now)
        if attempt.claim != token:
            return self._others(held, auth_config_id)
        claim = Claim(held, auth_config_id, attempt)
        try:
            found = self._found(claim, deadline)
        except Unavailable:
            self._release(claim)
            raise
        return found or self._new(claim, required, deadline)

    def confirm(
        self, session: ConnectSession, account_id: str | None, *, deadline: float
    ) -> set[str]:
        """Record the accounts whose links were made here, and return which are active.

        `account_id` is one of them, or one that Composio has completed for this user: it may take
        a moment to show what became of it.
        """
        for look in range(PATIENCE + 1):
            if look:
                self.sleep(1)
            found = self._read(
                session, {*session.made, *([account_id] if account_id else [])}, deadline
            )
            waited = next((one for one in found if one.id == account_id), None)
            late = deadline - self.clock() < PATIENCE
            if waited is None or waited.status not in OPEN or late:
                break
        return {one.id for one in found if one.status == "ACTIVE"}

    def verify(self, session: ConnectSession, session_uri: str, *, deadline: float) -> Verification:
        """Complete the authorisation that this browser began; once for each session URI."""
        now, uri = int(self.clock()), digest(session_uri)
        redeemed = self.table.redeem(session, uri, token=self.token(), now=now)
        status, account_id = None, None
        if redeemed:
            status, account_id = self.composio.complete_auth(
                session_uri, session.user_id, deadline=deadline
            )
        if status == 400:
            count(Metric.CONNECT_VERIFICATION_REFUSED)
            logger.error("Composio refuses the user of a browser")
            return Verification.REFUSED
        active = self.confirm(session, account_id, deadline=deadline)
        begun = {one.account for one in session.attempts.values() if one.open(now)}
        if redeemed and (status is None or status >= 500):
            for account in begun:
                self._watch(session, account)
        return Verification.LATE if status == 404 and not active & begun else Verification.DONE

    def _found(self, claim: Claim, deadline: float) -> str | Click | None:
        """Return what makes another link needless: an active account, or a link still open."""
        user_id, began = claim.session.user_id, self.clock()
        found = self.composio.accounts_of(
            user_id, auth_config_id=claim.auth_config_id, deadline=deadline
        )
        for one in found:
            fact = one.fact(user_id)
            if fact and fact.active:
                self.provisioning.reconcile(fact, read_at=began, deadline=deadline)
                return Click.CONNECTED
        if claim.attempt.usable(began) and self._still_open(claim, found, deadline):
            self._release(claim)
            return claim.attempt.url
        return None

    def _new(self, claim: Claim, required: int, deadline: float) -> str | Click:
        if not self.table.count_link(*claim, required=required):
            self._release(claim)
            return Click.SPENT
        try:
            made = self._make(*claim, deadline)
        except Unavailable as nothing:
            # Without an answer a link may have been made: the claim then holds for its time.
            if nothing.problem.status:
                self._release(claim)
            raise
        if not self.table.keep_link(claim.session, claim.auth_config_id, made):
            return self._others(claim.session, claim.auth_config_id)
        return made.url

    def _make(
        self, session: ConnectSession, auth_config_id: str, attempt: Attempt, deadline: float
    ) -> Attempt:
        link = self.composio.create_link(
            session.user_id, auth_config_id, f"{session.base}/connect/return", deadline=deadline
        )
        count(Metric.CONNECT_LINK)
        self._watch(session, link.connected_account_id)
        now = int(self.clock())
        latest = now + LINK_SECONDS
        until = min(int(link.expires_at.timestamp()), latest) if link.expires_at else latest
        return attempt._replace(
            free_at=now, account=link.connected_account_id, url=link.redirect_url, until=until
        )

    def _others(self, session: ConnectSession, auth_config_id: str) -> str | Click:
        """Return the link that another click is making, once it is there."""
        for look in range(PATIENCE + 1):
            if look:
                self.sleep(1)
            found = self.table.read(session.sid)
            if found is None or found.spent:
                return Click.SPENT
            attempt, now = found.attempts.get(auth_config_id), self.clock()
            if attempt and attempt.free_at <= now and attempt.usable(now):
                return attempt.url
        return Click.BUSY

    def _still_open(self, claim: Claim, found: list[ConnectedAccount], deadline: float) -> bool:
        account_id = claim.attempt.account
        own = next((one for one in found if one.id == account_id), None)
        if own is None and self.table.count_call(claim.session, now=int(self.clock())):
            # A list may be behind what has just been made; the account itself is not.
            own = self.composio.get_account(account_id, deadline=deadline)
        return own is not None and own.status in OPEN

    def _read(
        self, session: ConnectSession, account_ids: set[str], deadline: float
    ) -> list[ConnectedAccount]:
        if not (account_ids and self.table.count_call(session, now=int(self.clock()))):
            return []
        began = self.clock()
        try:
            found = self.composio.accounts_of(
                session.user_id, account_ids=account_ids, deadline=deadline
            )
        except Unavailable:
            return []
        ours = [one for one in found if one.id in account_ids]
        isolation = Isolation()
        for one in ours:
            fact = one.fact(session.user_id)
            if fact and fact.status not in OPEN:
                with isolation:
                    self.provisioning.reconcile(fact, read_at=began, deadline=deadline)
        isolation.end()
        return ours

    def _release(self, claim: Claim) -> None:
        self.table.release(*claim, now=int(self.clock()))

    def _watch(self, session: ConnectSession, account_id: str) -> None:
        task = {"task": "watch", "user_id": session.user_id, "account_id": account_id}
        self.queue.send([task], delays=WATCH_DELAYS)
