"""The environment, typed; every problem with it is told at once, at start."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from handler.urls import BASE_URL, web_address

EVERY_SERVER = "*"
_ID = r"[A-Za-z0-9_-]{1,128}"
SERVER_IDS = rf"\*|({_ID}(,{_ID})*)?"
"""As a pattern, which the template has, too."""


def enrolled_servers(server_ids: str) -> frozenset[str] | None:
    """Return the ids of the enrolled MCP servers, or None for every server of the project.

    Args:
        server_ids: Ids separated by commas, `*`, or nothing, which enrolls none.
    """
    if server_ids == EVERY_SERVER:
        return None
    return frozenset(server_ids.split(",")) - {""}


class SettingsError(Exception):
    """The environment is not usable; the message lists every problem with it."""


def _base_url(url: str) -> str:
    return web_address(url, BASE_URL).rstrip("/")


def _base_url_or_empty(url: str) -> str:
    return _base_url(url) if url else url


def _url_or_empty(url: str) -> str:
    return web_address(url) if url else url


def _server_ids(text: str) -> str:
    if not re.fullmatch(SERVER_IDS, text):
        raise ValueError("must be empty, * or ids separated by commas, without spaces")
    return text


class Settings(BaseModel):
    """What the template tells the functions; each field is the environment name in lower case."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    table_name: str = Field(min_length=1)
    secret_id: str = Field(min_length=1)
    queue_url: str = Field(min_length=1)
    bus_name: str = Field(min_length=1)
    composio_base_url: Annotated[str, AfterValidator(_base_url)]
    mcp_server_ids: Annotated[str, AfterValidator(_server_ids)]

    return_url: Annotated[str, AfterValidator(_url_or_empty)] = ""
    connect_start: Literal["link", "form"] = "link"
    public_url: Annotated[str, AfterValidator(_base_url_or_empty)] = ""
    brand_name: Annotated[str, Field(max_length=60)] = ""
    brand_logo_url: Annotated[str, AfterValidator(_url_or_empty)] = ""
    support_url: Annotated[str, AfterValidator(_url_or_empty)] = ""
    log_user_ids: Literal["hashed", "plain"] = "hashed"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            SettingsError: Something is missing or malformed; lists all of it.
        """
        names = {name: name.upper() for name in cls.model_fields}
        given = {name: environment[env] for name, env in names.items() if env in environment}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            raise SettingsError(
                "; ".join(f"{str(one['loc'][0]).upper()}: {one['msg']}" for one in found)
            ) from None

    @field_validator("connect_start")
    @classmethod
    def _form_is_somebodys(cls, start: str, info: ValidationInfo) -> str:
        if start == "form" and not info.data.get("return_url"):
            raise ValueError("form needs RETURN_URL: only a page of its origin starts a session")
        return start
