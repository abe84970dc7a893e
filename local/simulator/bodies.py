"""What Composio's endpoints accept as request bodies."""

import json
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from local.simulator.accounts import AccountType
from local.simulator.refusal import invalid

type Text = Annotated[str, StringConstraints(min_length=1)]
type Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 -]{4,30}$")]
type Texts = Annotated[tuple[Text, ...], Field(min_length=1)]


class Body(BaseModel):
    """A JSON object; fields that are not known are ignored, as most APIs do."""

    model_config = ConfigDict(extra="ignore", strict=True)

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Parse a request body. Raises `Refused`: 400 with code 1803 and one error per field."""
        try:
            return cls.model_validate_json(raw or b"{}")
        except ValidationError as error:
            raise invalid("Invalid request data provided", *problems(error)) from error

    def changes(self) -> dict[str, Any]:
        """Return the fields that are given."""
        return self.model_dump(exclude_none=True)


def problems(error: ValidationError) -> list[str]:
    """List what is wrong, one line per field, without repeating the input."""
    return [
        f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}"
        for each in error.errors(include_input=False, include_url=False)
    ]


class InstanceBody(Body):
    """`POST /mcp/servers/{id}/instances`."""

    user_id: Text


class _Sharing(Body):
    account_type: AccountType = "PRIVATE"


class LinkBody(Body):
    """`POST /connected_accounts/link`."""

    auth_config_id: Text
    user_id: Text
    alias: str | None = None
    callback_url: str | None = None
    connection_data: dict[str, Any] = Field(default_factory=dict)
    experimental: _Sharing = _Sharing()

    @field_validator("callback_url")
    @classmethod
    def _leads_to_a_page(cls, url: str | None) -> str | None:
        if url is not None and (
            urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname
        ):
            raise ValueError("must be an http or https URL")
        return url


class _Reference(Body):
    id: Text


class _Connection(Body):
    user_id: Text


class AccountBody(Body):
    """`POST /connected_accounts`: the older way, for what is not managed OAuth."""

    auth_config: _Reference
    connection: _Connection


class CompleteAuthBody(Body):
    """`POST /connected_accounts/complete_auth`."""

    session_uri: Text
    user_id: Text


class EnabledBody(Body):
    """`PATCH /connected_accounts/{id}/status`."""

    enabled: bool


class ServerBody(Body):
    """`POST /mcp/servers`: the name is 4 to 30 letters, digits, spaces and hyphens."""

    name: Name
    auth_config_ids: tuple[Text, ...]
    allowed_tools: tuple[str, ...] = ()


class GenerateBody(Body):
    """`POST /mcp/servers/generate`."""

    mcp_server_id: Text
    user_ids: tuple[Text, ...] = ()
    connected_account_ids: tuple[Text, ...] = ()


class ServerPatch(Body):
    """`PATCH /mcp/{id}`."""

    name: Name | None = None
    auth_config_ids: tuple[Text, ...] | None = None
    allowed_tools: tuple[str, ...] | None = None


type Version = Literal["V1", "V2", "V3"]


class SubscriptionBody(Body):
    """`POST /webhook_subscriptions`."""

    webhook_url: Text
    enabled_events: Texts
    version: Version = "V3"


class SubscriptionPatch(Body):
    """`PATCH /webhook_subscriptions/{id}`."""

    webhook_url: Text | None = None
    enabled_events: Texts | None = None
    version: Version | None = None


def user_of(raw: bytes) -> str | None:
    """Read `user_id` out of a body that may be anything."""
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    user_id = body.get("user_id") if isinstance(body, dict) else None
    return user_id if isinstance(user_id, str) else None
