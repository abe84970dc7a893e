"""Reads what Composio sends: the V3 envelope and the connected account in it.

Lenient where the vendor is (fields may be missing, unknown or new), strict about what decides.
The shape is docs.composio.dev, webhook event `composio.connected_account.expired`; its `data`
is the same object that `GET /api/v3/connected_accounts/{id}` returns.
"""

import json
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
)

MAX_USER_ID_BYTES = 1024
"""DynamoDB allows 2,048 bytes of partition key."""

ACCOUNT_EVENTS = "composio.connected_account."

DELETED = "DELETED"
"""The status of an account that Composio no longer knows; Composio itself has none for it."""


class NotAnEnvelope(ValueError):
    """The body is not what Composio sends; the message names the fields and holds no values."""


class Account(NamedTuple):
    """What is known of one connected account at one time: a fact.

    `updated_at` is ISO 8601 in UTC with six decimals, so that text order is time order.
    """

    id: str
    user_id: str
    auth_config_id: str
    status: str
    is_disabled: bool
    updated_at: str
    seen_at: int = 0
    """Unix milliseconds at which Composio said so: an event came in, or a read began."""
    read: bool = False
    """It was read at Composio, and so outranks the events received before."""

    @property
    def active(self) -> bool:
        """Whether Composio counts it: only ACTIVE accounts that nobody disabled do."""
        return self.status == "ACTIVE" and not self.is_disabled

    def meets(self, required: AbstractSet[str]) -> bool:
        """Whether it is an account of one of these auth configs."""
        return self.auth_config_id in required

    def seen(self, at: float, *, read: bool) -> "Account":
        """Return the fact as it was learned at this Unix time; the future counts as that time.

        A read needs no time of its own to be in order, so one from the future is left out: the
        same account, read again, then states nothing new.
        """
        now = timestamp(datetime.fromtimestamp(at, UTC))
        future = "" if read else now
        updated_at = future if self.updated_at > now else self.updated_at
        return self._replace(updated_at=updated_at, seen_at=int(at * 1000), read=read)

    def deleted(self, at: float) -> "Account":
        """Return the fact that Composio no longer knew the account at this Unix time."""
        return self._replace(status=DELETED, seen_at=int(at * 1000), read=True)

    def adds_nothing_to(self, known: Iterable["Account"]) -> bool:
        """Whether one of the known facts states the same already, or something newer."""
        return any(
            one.id == self.id and one.updated_at >= self.updated_at and one[2:5] == self[2:5]
            for one in known
        )


class AccountEvent(NamedTuple):
    """An event about one connected account; `account` is None where deciding fields are missing."""

    account_id: str
    account: Account | None
    user_id: str | None = None
    """Whose account it is, by the event."""


class Ignored(NamedTuple):
    """A genuine event that is not about a connected account."""

    reason: str


def usable(user_id: str) -> bool:
    """Whether it can be a user id: text of 1 to 1,024 bytes."""
    try:
        return 0 < len(user_id.encode()) <= MAX_USER_ID_BYTES
    except UnicodeEncodeError:
        return False


def _bounded(user_id: str) -> str:
    if not usable(user_id):
        raise ValueError(f"not text of 1 to {MAX_USER_ID_BYTES} bytes")
    return user_id


def _utc(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range") from None


Moment = Annotated[datetime, AfterValidator(_utc)]
ID = r"^[A-Za-z0-9_-]{1,128}$"
Id = Annotated[StrictStr, Field(pattern=ID)]
AccountStatus = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_ -]{0,64}$")]
UserId = Annotated[StrictStr, AfterValidator(_bounded)]


class _Lenient(BaseModel):
    # A ValidationError must not carry what the body said into a log.
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True)


class AuthConfig(_Lenient):
    """The part of `auth_config` that decides."""

    id: Id
    is_disabled: StrictBool | None = None


class ConnectedAccount(_Lenient):
    """The part of a connected account that decides; all but `id` may be missing.

    `user_id` is deprecated by the vendor and will stop being returned.
    """

    id: Id
    user_id: UserId | None = None
    auth_config: AuthConfig | None = None
    status: AccountStatus | None = None
    is_disabled: StrictBool | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None

    def fact(self, user_id: str | None = None) -> Account | None:
        """Return the fact that it states, or None where a deciding field is missing.

        Args:
            user_id: The account's user, where it is known from elsewhere (a filtered list).
        """
        user = user_id or self.user_id
        if not (user and self.auth_config and self.status and self.updated_at):
            return None
        return Account(
            id=self.id,
            user_id=user,
            auth_config_id=self.auth_config.id,
            status=self.status,
            is_disabled=bool(self.is_disabled or self.auth_config.is_disabled),
            updated_at=timestamp(self.updated_at),
        )


def parse(body: bytes | str) -> AccountEvent | Ignored:
    """Read one body.

    Any `composio.connected_account.*` event is judged by the account's own status, never by
    the suffix of the type: the vendor publishes one of them today and adds more unasked.

    Raises:
        NotAnEnvelope: Not JSON, or not one of the payload versions V1 to V3.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise NotAnEnvelope("the body is not JSON") from None
    return read(content)


def read(content: object) -> AccountEvent | Ignored:
    """Read one body that is parsed already; as `parse`."""
    if not isinstance(content, dict):
        raise NotAnEnvelope("the body is not a JSON object")
    kind = content.get("type")
    if isinstance(kind, str) and kind.startswith(ACCOUNT_EVENTS):
        return _account_event(content)
    if isinstance(kind, str) and kind and "data" in content:
        return Ignored("the event is not about a connected account")
    if isinstance(content.get("trigger_name"), str) and "payload" in content:
        return Ignored("the payload is version V1")
    raise NotAnEnvelope("the body is not Composio's envelope: id, type and data are missing")


def timestamp(moment: datetime) -> str:
    """Return an aware moment as ISO 8601 in UTC with six decimals."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def problems(error: ValidationError) -> str:
    """Return where and why a model did not fit, without any of the values."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in found
    )


class _Named(_Lenient):
    """The part of an event that may name an account, and its user, without describing it."""

    connected_account_id: Id | None = None
    user_id: UserId | None = None


class _Envelope(_Lenient):
    data: ConnectedAccount


def _account_event(content: dict[str, object]) -> AccountEvent:
    """Read an event about an account: `…expired` describes it, `…activated` may only name it.

    Where it is named is what consumers of `…activated` report; it is in no published schema.
    """
    data, metadata = content.get("data"), _named(content.get("metadata"))
    named = metadata.connected_account_id or _named(data).connected_account_id
    if named and not (isinstance(data, dict) and data.get("id") == named):
        return AccountEvent(named, None, _named(data).user_id or metadata.user_id)
    try:
        account = _Envelope.model_validate(content).data
    except ValidationError as error:
        raise NotAnEnvelope(problems(error)) from None
    user_id = account.user_id or metadata.user_id
    return AccountEvent(account.id, account.fact(user_id), user_id)


def _named(part: object) -> _Named:
    try:
        return _Named.model_validate(part)
    except ValidationError:
        return _Named()
