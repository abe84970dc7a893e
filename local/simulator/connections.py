"""The project's auth configs, connected accounts and connection links."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from local.simulator import accounts
from local.simulator.accounts import LINK_LIFETIME, PENDING, Account, AuthConfig, Status
from local.simulator.clock import Clock, random_id
from local.simulator.refusal import Refused, invalid, missing


@dataclass(frozen=True, slots=True)
class Link:
    """A hosted connection link; its token is the path of the consent page."""

    token: str
    account_id: str
    callback_url: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """The filters of the account list; an empty set or `ALL` does not filter."""

    users: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    auth_configs: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    toolkits: frozenset[str] = frozenset()
    account_type: str = "PRIVATE"


class Connections:
    """Accounts by id and by user. Every change stamps a new `updated_at`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.auth_configs: dict[str, AuthConfig] = {}
        self.accounts: dict[str, Account] = {}
        self.links: dict[str, Link] = {}
        self._of_user: dict[str, dict[str, None]] = {}
        self._deadlines: list[tuple[datetime, str]] = []

    def put(self, account: Account) -> Account:
        """Store an account, new or changed."""
        self.accounts[account.id] = account
        self._of_user.setdefault(account.user_id, {})[account.id] = None
        if account.status in PENDING:
            heapq.heappush(self._deadlines, (account.created_at + LINK_LIFETIME, account.id))
        return account

    def get(self, account_id: str) -> Account:
        """Find an account.

        Raises:
            Refused: 404 with code 1810 (seen in published error reports).
        """
        try:
            return self.accounts[account_id]
        except KeyError:
            raise Refused(
                404,
                f"Connected account {account_id} was not found",
                code=1810,
                slug="ActionExecute_ConnectedAccountNotFound",
            ) from None

    def new_auth_config(
        self, toolkit: str, auth_config_id: str | None = None, auth_scheme: str = "OAUTH2"
    ) -> AuthConfig:
        """Make and store an auth config; a given id replaces the one that had it."""
        at = self._clock.tick()
        config = AuthConfig(
            id=auth_config_id or random_id("ac_"),
            toolkit=toolkit,
            name=toolkit,
            auth_scheme=auth_scheme,
            created_at=at,
            updated_at=at,
        )
        self.auth_configs[config.id] = config
        return config

    def auth_config(self, auth_config_id: str) -> AuthConfig:
        """Find an auth config.

        Raises:
            Refused: 404.
        """
        try:
            return self.auth_configs[auth_config_id]
        except KeyError:
            raise missing("Auth config", auth_config_id) from None

    def new(
        self, user_id: str, auth_config_id: str, status: Status, alias: str | None = None
    ) -> Account:
        """Make and store an account in a status.

        Raises:
            Refused: 404, when there is no such auth config.
        """
        self.auth_config(auth_config_id)
        at = self._clock.tick()
        return self.put(
            Account(
                id=random_id("ca_"),
                user_id=user_id,
                auth_config_id=auth_config_id,
                status=status,
                alias=alias,
                created_at=at,
                updated_at=at,
            )
        )

    def link(
        self, user_id: str, auth_config_id: str, callback_url: str | None, alias: str | None
    ) -> Link:
        """Begin a connection: an account that waits, and the link to finish it.

        Raises:
            Refused: 404 without such an auth config, 400 when that is disabled.
        """
        if self.auth_config(auth_config_id).is_disabled:
            raise invalid(f"Auth config {auth_config_id} is disabled")
        account = self.new(user_id, auth_config_id, Status.INITIALIZING, alias)
        link = Link(random_id("lk_"), account.id, callback_url, account.created_at + LINK_LIFETIME)
        self.links[link.token] = link
        return link

    def follow(self, token: str) -> tuple[Link, Account]:
        """Find the link and the waiting account behind a consent page.

        Raises:
            Refused: 404 for an unknown token, 410 for a used or expired one.
        """
        link = self.links.get(token)
        if link is None or link.account_id not in self.accounts:
            raise missing("Connection link", token)
        account = self.accounts[link.account_id]
        if account.status not in PENDING:
            raise Refused(410, "This connection link was already used or has expired")
        return link, account

    def open(self, token: str) -> Account:
        """The user opened the link. Raises as `follow` does."""
        _, account = self.follow(token)
        return self.put(accounts.opened(account, self._clock.tick()))

    def decide(self, token: str, *, allowed: bool) -> tuple[Link, Account]:
        """The user allowed or denied. Raises as `follow` does."""
        link, account = self.follow(token)
        at = self._clock.tick()
        return link, self.put(accounts.decided(account, at, allowed=allowed))

    def expire_links(self) -> list[Account]:
        """Expire whatever waited for ten minutes and return what changed."""
        changed = []
        while self._deadlines and self._deadlines[0][0] <= self._clock.now():
            _, account_id = heapq.heappop(self._deadlines)
            account = self.accounts.get(account_id)
            if account is not None and account.status in PENDING:
                changed.append(self.put(accounts.expired(account, self._clock.tick())))
        return changed

    def delete(self, account_id: str) -> Account:
        """Forget an account and return its last state.

        Raises:
            Refused: 404.
        """
        account = self.get(account_id)
        del self.accounts[account_id]
        del self._of_user[account.user_id][account_id]
        return account

    def of_user(self, user_id: str) -> list[Account]:
        """List all accounts of a user, oldest first."""
        return [self.accounts[account_id] for account_id in self._of_user.get(user_id, ())]

    def select(self, wanted: Filter) -> Iterator[Account]:
        """Yield the accounts that pass all filters, in no particular order."""
        for account in self._candidates(wanted.users):
            if (
                (not wanted.statuses or account.status in wanted.statuses)
                and (not wanted.auth_configs or account.auth_config_id in wanted.auth_configs)
                and (not wanted.ids or account.id in wanted.ids)
                and wanted.account_type in {"ALL", account.account_type}
                and (
                    not wanted.toolkits
                    or self.auth_configs[account.auth_config_id].toolkit in wanted.toolkits
                )
            ):
                yield account

    def _candidates(self, users: frozenset[str]) -> Iterator[Account]:
        if not users:
            yield from self.accounts.values()
        for user in users:
            yield from self.of_user(user)
