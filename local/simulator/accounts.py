"""What a connected account is and how its status may move. Values only, no I/O."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from local.simulator.refusal import Refused

# "Connection links expire after 10 minutes" (knowledge base, Platform connected accounts).
LINK_LIFETIME = timedelta(minutes=10)

type AccountType = Literal["PRIVATE", "SHARED"]


class Status(StrEnum):
    """The seven statuses of a connected account (API reference, Connected accounts)."""

    INITIALIZING = "INITIALIZING"
    INITIATED = "INITIATED"
    ACTIVE = "ACTIVE"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    INACTIVE = "INACTIVE"
    REVOKED = "REVOKED"


PENDING = frozenset({Status.INITIALIZING, Status.INITIATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """One way of connecting to one toolkit."""

    id: str
    toolkit: str
    name: str
    auth_scheme: str = "OAUTH2"
    is_composio_managed: bool = True
    is_disabled: bool = False
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One user's connection through one auth config."""

    id: str
    user_id: str
    auth_config_id: str
    status: Status
    status_reason: str | None = None
    is_disabled: bool = False
    account_type: AccountType = "PRIVATE"
    alias: str | None = None
    connection_data: dict[str, object] = field(default_factory=dict)
    link_token: str | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def usable(self) -> bool:
        """Tell whether tools may run with it: ACTIVE and not disabled."""
        return self.status is Status.ACTIVE and not self.is_disabled


def moved(account: Account, status: Status, reason: str | None, at: datetime) -> Account:
    """Put an account into a status, whatever it was in before."""
    return replace(account, status=status, status_reason=reason, updated_at=at)


def opened(account: Account, at: datetime) -> Account:
    """The user opened the hosted page: INITIALIZING becomes INITIATED."""
    if account.status is Status.INITIALIZING:
        return moved(account, Status.INITIATED, None, at)
    return account


def decided(account: Account, at: datetime, *, allowed: bool) -> Account:
    """The user answered the consent page."""
    if allowed:
        return moved(account, Status.ACTIVE, None, at)
    return moved(account, Status.FAILED, "OAuth callback failed: access_denied", at)


def misused(account: Account, at: datetime) -> Account:
    """The user who consented is not the user for whom the connection was begun."""
    return moved(account, Status.FAILED, "Callback identity verification failed", at)


def expired(account: Account, at: datetime) -> Account:
    """The link was not used in time."""
    return moved(account, Status.EXPIRED, "Not completed within 10 minutes", at)


def switched(account: Account, at: datetime, *, enabled: bool) -> Account:
    """Enable or disable by API; INACTIVE is what a disabled ACTIVE account is called."""
    status = account.status
    if enabled and status is Status.INACTIVE:
        status = Status.ACTIVE
    if not enabled and status is Status.ACTIVE:
        status = Status.INACTIVE
    reason = None if enabled else "Disabled by API"
    return replace(
        account, status=status, status_reason=reason, is_disabled=not enabled, updated_at=at
    )


def revoked(account: Account, at: datetime) -> Account:
    """Revoke at the provider.

    Raises:
        Refused: 409, unless the account is ACTIVE or REVOKED (API reference v3.1, revoke).
    """
    if account.status not in {Status.ACTIVE, Status.REVOKED}:
        raise Refused(409, f"A connected account that is {account.status} cannot be revoked")
    return moved(account, Status.REVOKED, "Revoked by API", at)
