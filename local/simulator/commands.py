"""The bodies of the control routes. A field that does not exist is an error."""

from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from local.simulator.accounts import AccountType, Status
from local.simulator.bodies import Body, Text, problems
from local.simulator.options import Options
from local.simulator.refusal import invalid
from local.simulator.subscriptions import deliverable


class Command(Body):
    """The body of a control route."""

    model_config = ConfigDict(extra="forbid", strict=False)


class SetKeys(Command):
    """`PUT /_control/api_keys`."""

    keys: list[Text]


class SetWebhook(Command):
    """`PUT /_control/webhook`; without secrets the subscription's one signs."""

    target: str | None = None
    secrets: tuple[Text, ...] = ()

    @field_validator("target")
    @classmethod
    def _deliverable(cls, target: str | None) -> str | None:
        if target is not None and not deliverable(target):
            raise ValueError("must be https, or http on loopback")
        return target


class NewAuthConfig(Command):
    """`POST /_control/auth_configs`."""

    toolkit: Text
    id: Text | None = None
    auth_scheme: str = "OAUTH2"


class ChangeAuthConfig(Command):
    """`PATCH /_control/auth_configs/{id}`."""

    is_disabled: bool


class NewServer(Command):
    """`POST /_control/servers`; unlike Composio's it takes the id and an empty requirement."""

    name: Text
    auth_config_ids: tuple[str, ...]
    id: Text | None = None


class NewAccount(Command):
    """One account of `POST /_control/accounts`."""

    user_id: Text
    auth_config_id: Text
    status: Status = Status.ACTIVE
    id: Text | None = None
    is_disabled: bool = False
    account_type: AccountType = "PRIVATE"
    created_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None


class NewAccounts(Command):
    """`POST /_control/accounts`."""

    accounts: list[NewAccount]
    webhook: bool = False


class ChangeAccount(Command):
    """`PATCH /_control/accounts/{id}`; without a status only `updated_at` moves."""

    status: Status | None = None
    is_disabled: bool | None = None
    webhook: bool = True


class NewInstances(Command):
    """`POST /_control/instances`."""

    server_id: Text
    user_ids: list[Text]


class AdvanceClock(Command):
    """`POST /_control/clock`."""

    advance_seconds: Annotated[float, Field(ge=0)]


_OBJECT = TypeAdapter(dict[str, object])


def changed_options(old: Options, raw: bytes) -> Options:
    """Parse the options to change and lay them over the old ones. Raises `Refused`: 400."""
    try:
        return Options.model_validate(old.model_dump() | _OBJECT.validate_json(raw))
    except ValidationError as error:
        raise invalid("Invalid options", *problems(error)) from error
