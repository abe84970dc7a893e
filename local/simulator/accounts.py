"""What an auth config and a connected account are."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

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
    """One way of connecting to one toolkit, named after it and managed by Composio."""

    id: str
    toolkit: str
    auth_scheme: str = "OAUTH2"
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
