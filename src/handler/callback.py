"""`GET /oauth/callback`: the browser comes back from OAuth, and nothing that it says is believed.

The account is read at Composio, recorded and decided like any event. Then the browser goes on to
the application, or to a page that says how far things are.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple
from urllib.parse import urlencode

from handler import page
from handler.catalog import Catalog
from handler.composio import Composio
from handler.decisions import missing, overall
from handler.events import Account, usable
from handler.provisioning import Handled, Provisioning
from handler.requests import Request, Response
from handler.target_table import TargetTable
from handler.targets import OPEN, Problem, Status
from handler.telemetry import Metric, count, logger
from handler.transport import Unavailable

ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
REMEMBERED_SECONDS = 60
OPEN_SECONDS = 5
"""So long is what may change any moment remembered: each look at it takes time and calls."""

MOST_REMEMBERED = 1000
MOST_IN_VAIN = 100
"""Reads in a minute that found no active account, whatever was answered; past that, none is made:
anybody can make up ids."""

OF_COMPOSIO = frozenset(
    {"status", "connected_account_id", "connectedAccountId", "appName", "user_id", "error"}
)
"""Of the query, what is not the application's own."""

LONGEST_PASSED_ON = 2048

PATIENCE = 3
"""Looks at an account that is not ACTIVE yet, a second apart; then it is the sweep's business."""


class Memory(NamedTuple):
    """What Composio said of an account and user, and until when (Unix) it is not asked again."""

    until: float
    account: Account | None


@dataclass(eq=False)
class Callback:
    """Answers browsers; `clock` is Unix seconds. `return_url` is the application's, or empty."""

    composio: Composio
    provisioning: Provisioning
    catalog: Catalog
    target_table: TargetTable
    return_url: str
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    _memory: dict[tuple[str, str | None], Memory] = field(default_factory=dict, init=False)
    _in_vain: list[float] = field(default_factory=list, init=False)

    def confirm(self, request: Request, deadline: float) -> Response:
        """Take the account that the browser names, and say where it goes on.

        Composio appends `status` and `connected_account_id`, its older flows
        `connectedAccountId` (docs.composio.dev, "Manually authenticating"); the application may
        add `user_id`, which then has to be the account's.
        """
        account_id = request.only("connected_account_id", "connectedAccountId") or ""
        user_id = request.only("user_id")
        go_on = partial(self._go_on, request)
        if not account_id and "error" in request.query:
            return go_on(Status.FAILED, page.failed())
        meant = usable(user_id) if user_id is not None else "user_id" not in request.query
        if not (meant and ACCOUNT_ID.fullmatch(account_id)):
            return go_on(Status.FAILED, page.invalid(), code=400)
        try:
            said = request.only("status") == "success"
            account = self._confirmed(account_id, user_id, deadline, said_active=said)
        except Unavailable:
            return go_on(Status.WAITING, page.pending(), account_id)
        if account is None:
            return go_on(Status.FAILED, page.invalid(), code=404)
        handled = self._handled(account, deadline)
        if handled is None or account.status in OPEN:
            return go_on(Status.WAITING, page.pending(), account_id)
        if not account.active:
            return go_on(Status.FAILED, page.failed(), account_id)
        shown = "" if self.return_url else self._progress(account)
        return go_on(self._status(account, handled), shown, account_id)

    def _handled(self, account: Account, deadline: float) -> Handled | None:
        try:
            read_at = account.seen_at / 1000
            return self.provisioning.handle_fact(account, read_at=read_at, deadline=deadline)
        except Exception:  # noqa: BLE001 - the browser looks again, and the sweep finds it
            logger.exception("nothing was recorded")
            count(Metric.NOT_RECORDED)
            return None

    def _confirmed(
        self, account_id: str, user_id: str | None, deadline: float, *, said_active: bool
    ) -> Account | None:
        """Return the account by Composio's word; what it said counts for a while.

        Where the browser says that the account has become active, only that it has counts.
        """
        key, now = (account_id, user_id), self.clock()
        remembered = self._memory.get(key)
        if remembered and now < remembered.until:
            account = remembered.account
            if not said_active or account is None or account.active or account.status in OPEN:
                return account
        self._in_vain = [at for at in self._in_vain if now - at < REMEMBERED_SECONDS]
        if len(self._in_vain) >= MOST_IN_VAIN:
            raise Unavailable(Problem("too many made-up accounts"))
        self._in_vain.append(now)
        account = self._read(account_id, user_id, deadline)
        if account and account.active:
            self._in_vain.remove(now)
        self._memory.pop(key, None)
        while len(self._memory) >= MOST_REMEMBERED:
            del self._memory[next(iter(self._memory))]
        unsettled = account.status in OPEN if account else said_active
        seconds = OPEN_SECONDS if unsettled else REMEMBERED_SECONDS
        self._memory[key] = Memory(self.clock() + seconds, account)
        return account

    def _read(self, account_id: str, user_id: str | None, deadline: float) -> Account | None:
        for look in range(PATIENCE + 1):
            if look:
                self.sleep(1)
            began = self.clock()
            if user_id is None:
                found = self.composio.get_account(account_id, deadline=deadline)
            else:
                # The filter proves the pair, also when the vendor no longer names the user.
                found = self.composio.find_account(account_id, user_id, deadline=deadline)
            fact = found.fact(user_id) if found else None
            account = fact and fact.seen(began, read=True)
            if account is None or account.status not in OPEN or deadline - self.clock() < PATIENCE:
                break
        return account

    def _status(self, account: Account, handled: Handled) -> Status:
        """Return the one word for the targets that require the account, or, without any, for all.

        Where nothing is enrolled, nothing can be ready.
        """
        if handled.outcomes:
            return overall(one.status for one in handled.outcomes)
        _, rows = self.target_table.user(account.user_id)
        held = [rows.get(one.key) for one in self.catalog.known().targets]
        return overall(row and row.status for row in held or [None])

    def _progress(self, account: Account) -> str:
        facts, rows = self.target_table.user(account.user_id)
        view = self.catalog.known()
        servers = view.requiring(account.auth_config_id)
        if not servers:
            return page.connected() if view.up_to_date else page.pending()
        required = frozenset[str]().union(*(one.required for one in servers))
        held = {rows[one.key].status if one.key in rows else None for one in servers}
        if Status.FAILED in held:
            return page.stuck()
        if lacking := missing(required, facts.active):
            names = self.catalog.toolkits()
            return page.waiting(
                sorted(names.get(one, one) for one in required & facts.active),
                sorted(names.get(one, one) for one in lacking),
            )
        return page.ready() if held <= {Status.READY} else page.pending()

    def _go_on(
        self,
        request: Request,
        status: Status,
        content: str,
        account_id: str | None = None,
        *,
        code: int = 200,
    ) -> Response:
        if not self.return_url:
            return Response(code, content, page.HEADERS)
        query = [("status", status.value)]
        if account_id:
            query.append(("connected_account_id", account_id))
        own = [(name, one) for name, all_ in request.query.items() for one in all_]
        passed_on = urlencode([one for one in own if one[0] not in OF_COMPOSIO], errors="replace")
        kept = f"&{passed_on}" if 0 < len(passed_on) <= LONGEST_PASSED_ON else ""
        mark = "&" if "?" in self.return_url else "?"
        location = f"{self.return_url}{mark}{urlencode(query)}{kept}"
        return Response(303, "", {"location": location})
