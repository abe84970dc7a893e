"""`GET /oauth/callback`: the browser comes back from OAuth, and nothing that it says is believed.

The account is read at Composio, recorded and decided like any event. Then the browser goes on to
the application, or to a page that says how far things are.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlencode

from handler import page
from handler.catalog import Catalog
from handler.composio import Composio
from handler.decisions import missing
from handler.events import Account, usable
from handler.provisioning import Provisioning
from handler.requests import Request, Response
from handler.telemetry import Metric, count, logger
from handler.transport import Unavailable
from handler.user_table import UserTable
from handler.values import Problem, Status

ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
REMEMBERED_SECONDS = 60
OPEN_SECONDS = 5
"""So long is what may change any moment remembered: each look at it takes time and calls."""

MOST_REMEMBERED = 1000
MOST_UNKNOWN = 100
"""Made-up accounts that Composio is asked for in a minute; past that, nothing is."""

NAMES_SECONDS = 600
PATIENCE = 3
"""Looks at an account that is not ACTIVE yet, a second apart; then it is the sweep's business."""

OPEN = frozenset({"INITIALIZING", "INITIATED"})


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
    user_table: UserTable
    return_url: str
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    _memory: dict[tuple[str, str | None], Memory] = field(default_factory=dict, init=False)
    _names: dict[str, str] = field(default_factory=dict, init=False)
    _names_until: float = field(default=0, init=False)

    def confirm(self, request: Request, deadline: float) -> Response:
        """Take the account that the browser names, and say where it goes on.

        Composio appends `status` and `connected_account_id`, its older flows
        `connectedAccountId` (docs.composio.dev, "Manually authenticating"); the application may
        add `user_id`, which then has to be the account's.
        """
        account_id = request.only("connected_account_id", "connectedAccountId") or ""
        user_id = request.only("user_id")
        meant = usable(user_id) if user_id is not None else "user_id" not in request.query
        if not (meant and ACCOUNT_ID.fullmatch(account_id)):
            return self._go_on("invalid", page.invalid(), status=400)
        try:
            account = self._confirmed(account_id, user_id, deadline)
        except Unavailable:
            return self._go_on("pending", page.pending(), account_id)
        if account is None:
            return self._go_on("invalid", page.invalid(), status=404)
        if not self._recorded(account, deadline) or account.status in OPEN:
            return self._go_on("pending", page.pending(), account_id)
        if not account.active:
            return self._go_on("failed", page.failed(), account_id)
        shown = "" if self.return_url else self._progress(account, deadline)
        return self._go_on("success", shown, account_id)

    def _recorded(self, account: Account, deadline: float) -> bool:
        try:
            read_at = account.seen_at / 1000
            self.provisioning.handle_fact(account, read_at=read_at, deadline=deadline)
        except Exception:  # noqa: BLE001 - the browser looks again, and the sweep finds it
            logger.exception("nothing was recorded")
            count(Metric.NOT_RECORDED)
            return False
        return True

    def _confirmed(self, account_id: str, user_id: str | None, deadline: float) -> Account | None:
        """Return the account by Composio's word; what it said counts for a while."""
        key, now = (account_id, user_id), self.clock()
        remembered = self._memory.get(key)
        if remembered and now < remembered.until:
            return remembered.account
        unknown = sum(one.account is None and now < one.until for one in self._memory.values())
        if unknown >= MOST_UNKNOWN:
            raise Unavailable(Problem("too many made-up accounts"))
        account = self._read(account_id, user_id, deadline)
        self._memory.pop(key, None)
        while len(self._memory) >= MOST_REMEMBERED:
            del self._memory[next(iter(self._memory))]
        seconds = OPEN_SECONDS if account and account.status in OPEN else REMEMBERED_SECONDS
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

    def _progress(self, account: Account, deadline: float) -> str:
        facts, instances = self.user_table.user(account.user_id)
        servers = self.catalog.known().requiring(account.auth_config_id)
        required = frozenset[str]().union(*(one.required for one in servers))
        held = {instances[one.id].status if one.id in instances else None for one in servers}
        if Status.FAILED in held:
            return page.stuck()
        if lacking := missing(required, facts.active):
            names = self._named(deadline)
            return page.waiting(
                sorted(names.get(one, one) for one in required & facts.active),
                sorted(names.get(one, one) for one in lacking),
            )
        return page.ready() if held <= {Status.READY} else page.pending()

    def _named(self, deadline: float) -> dict[str, str]:
        if self.clock() >= self._names_until:
            self._names_until = self.clock() + NAMES_SECONDS
            with suppress(Unavailable):
                self._names = self.composio.toolkits(deadline=deadline)
        return self._names

    def _go_on(
        self, outcome: str, content: str, account_id: str | None = None, *, status: int = 200
    ) -> Response:
        if not self.return_url:
            return Response(status, content, page.HEADERS)
        query = {"status": outcome} | ({"connected_account_id": account_id} if account_id else {})
        mark = "&" if "?" in self.return_url else "?"
        return Response(303, "", {"location": f"{self.return_url}{mark}{urlencode(query)}"})
