"""The project's auth configs, connected accounts and connection links."""

import heapq
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

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
    consented: bool = False


class Connections:
    """Accounts by id and by user. Every change stamps a new `updated_at`.

    Methods raise `Refused` with the status that Composio answers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.auth_configs: dict[str, AuthConfig] = {}
        self.accounts: dict[str, Account] = {}
        self.links: dict[str, Link] = {}
        # By session URI: the id of the account whose consent waits until its user is named.
        self._verifications: dict[str, str] = {}
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
        """Find an account; the code 1810 is that of published error reports."""
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
            auth_scheme=auth_scheme,
            created_at=at,
            updated_at=at,
        )
        self.auth_configs[config.id] = config
        return config

    def auth_config(self, auth_config_id: str) -> AuthConfig:
        """Find an auth config."""
        try:
            return self.auth_configs[auth_config_id]
        except KeyError:
            raise missing("Auth config", auth_config_id) from None

    def by_toolkit(self, auth_config_ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """Map the toolkits of these auth configs, in alphabetical order, to the ids of each."""
        configs = [self.auth_configs[each] for each in auth_config_ids]
        return {
            toolkit: frozenset(each.id for each in configs if each.toolkit == toolkit)
            for toolkit in sorted({each.toolkit for each in configs})
        }

    def new(self, user_id: str, auth_config_id: str, status: Status, **more: Any) -> Account:
        """Make and store an account in a status; `more` are further fields.

        An alias is unique among the user's accounts of a toolkit.
        """
        config = self.auth_config(auth_config_id)
        if config.is_disabled:
            raise invalid(f"Auth config {auth_config_id} is disabled")
        if (alias := more.get("alias")) is not None and any(
            other.alias == alias
            and self.auth_config(other.auth_config_id).toolkit == config.toolkit
            for other in self.of_user(user_id)
        ):
            raise invalid(f"The user already has an account of {config.toolkit} named {alias}")
        at = self._clock.tick()
        account = Account(
            id=random_id("ca_"),
            user_id=user_id,
            auth_config_id=auth_config_id,
            status=status,
            created_at=at,
            updated_at=at,
            **more,
        )
        return self.put(account)

    def link(
        self, user_id: str, auth_config_id: str, callback_url: str | None, **more: Any
    ) -> Link:
        """Begin a connection: an account that waits, and the link to finish it."""
        token = random_id("ln_")
        account = self.new(user_id, auth_config_id, Status.INITIALIZING, link_token=token, **more)
        link = Link(token, account.id, callback_url, account.created_at + LINK_LIFETIME)
        self.links[token] = link
        return link

    def follow(self, token: str) -> tuple[Link, Account]:
        """Find the link and the waiting account behind a consent page."""
        link = self.links.get(token)
        if link is None or link.account_id not in self.accounts:
            raise missing("Connection link", token)
        account = self.accounts[link.account_id]
        if account.status not in PENDING or link.consented:
            raise Refused(410, "This connection link was already used or has expired")
        return link, account

    def open(self, token: str) -> Account:
        """The user opened the link."""
        _, account = self.follow(token)
        if account.status is Status.INITIALIZING:
            return self._move(account, Status.INITIATED)
        return account

    def decide(self, token: str, *, allowed: bool) -> tuple[Link, Account]:
        """The user allowed or denied."""
        link, account = self.follow(token)
        if allowed:
            return link, self._move(account, Status.ACTIVE)
        return link, self._move(account, Status.FAILED, "OAuth callback failed: access_denied")

    def consent(self, token: str) -> str:
        """The user allowed, and the application has to name them; returns the `session_uri`."""
        link, account = self.follow(token)
        self.links[token] = replace(link, consented=True)
        session_uri = random_id("session_")
        self._verifications[session_uri] = account.id
        return session_uri

    def complete(self, session_uri: str, user_id: str) -> Account:
        """Finish a connection whose user the application names, once.

        The account is FAILED for good when it was begun for another user.
        """
        account = self.accounts.get(self._verifications.pop(session_uri, ""))
        if account is None or account.status not in PENDING:
            raise missing("Session", session_uri)
        if account.user_id != user_id:
            return self._move(account, Status.FAILED, "Callback identity verification failed")
        return self._move(account, Status.ACTIVE)

    def expire_links(self) -> list[Account]:
        """Expire whatever waited for ten minutes and return what changed."""
        changed = []
        while self._deadlines and self._deadlines[0][0] <= self._clock.now():
            _, account_id = heapq.heappop(self._deadlines)
            account = self.accounts.get(account_id)
            if account is not None and account.status in PENDING:
                reason = "Not completed within 10 minutes"
                changed.append(self._move(account, Status.EXPIRED, reason))
        return changed

    def switch(self, account_id: str, *, enabled: bool) -> Account:
        """Enable or disable an account; a disabled ACTIVE account is called INACTIVE."""
        account = replace(self.get(account_id), is_disabled=not enabled)
        if enabled:
            inactive = account.status is Status.INACTIVE
            return self._move(account, Status.ACTIVE if inactive else account.status)
        active = account.status is Status.ACTIVE
        status = Status.INACTIVE if active else account.status
        return self._move(account, status, "Disabled by API")

    def revoke(self, account_id: str) -> Account:
        """Revoke an account at its provider (API reference v3.1, revoke)."""
        account = self.get(account_id)
        if account.status not in {Status.ACTIVE, Status.REVOKED}:
            raise Refused(409, f"A connected account that is {account.status} cannot be revoked")
        return self._move(account, Status.REVOKED, "Revoked by API")

    def delete(self, account_id: str) -> Account:
        """Forget an account and return its last state."""
        account = self.get(account_id)
        del self.accounts[account_id]
        del self._of_user[account.user_id][account_id]
        return account

    def of_user(self, user_id: str) -> list[Account]:
        """List all accounts of a user, oldest first."""
        return [self.accounts[account_id] for account_id in self._of_user.get(user_id, ())]

    def of_users(self, users: Collection[str]) -> Iterator[Account]:
        """Yield the accounts of these users, or of all."""
        if not users:
            yield from self.accounts.values()
        for user in users:
            yield from self.of_user(user)

    def _move(self, account: Account, status: Status, reason: str | None = None) -> Account:
        at = self._clock.tick()
        return self.put(replace(account, status=status, status_reason=reason, updated_at=at))
