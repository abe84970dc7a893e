"""What Composio's responses say: status, headers and body to values, without a call.

The error envelope is `{"error": {message, code, slug, status, request_id?, suggested_fix?}}`;
`slug` and `code` came late, and a 429 is a bare `{"message"}` (docs.composio.dev/reference,
"Errors" and "Rate limits"). So every field is optional here, and the status alone decides.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    StrictStr,
    ValidationError,
    model_validator,
)

from handler.events import ID, Id, Moment
from handler.targets import Answer, Kind, Problem, Target
from handler.urls import web_address, web_address_or_empty

LONGEST_TEXT = 500
LONGEST_RETRY_AFTER_SECONDS = 3600
HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"


class _Said(BaseModel):
    # Built when Composio first answers: few starts lead to a call, and most need one of these only.
    model_config = ConfigDict(defer_build=True)


class InstanceRecord(_Said):
    """The 201 body of create-instance, and an item of the list of instances."""

    model_config = ConfigDict(strict=True)

    id: str
    instance_id: str
    mcp_server_id: str
    created_at: str
    updated_at: str


class Reference(_Said):
    """Something with an id."""

    id: Id


class McpServer(_Said):
    """The part of an MCP server that decides."""

    id: str
    auth_config_ids: frozenset[str] | None = None
    name: str | None = None
    deleted: bool = False
    mcp_url: object = None
    """Deprecated by the vendor, so it may go, or change its type, one day."""

    def value(self) -> Target:
        """Return it as a value."""
        url = web_address_or_empty(self.mcp_url)
        required, name = self.auth_config_ids or frozenset(), self.name or ""
        return Target(self.id, required, name=name, gone=self.deleted, url=url)

    @model_validator(mode="after")
    def _says_what_it_requires(self) -> Self:
        if self.auth_config_ids is None and not self.deleted:
            raise ValueError("auth_config_ids are missing")
        return self


class ConnectLink(_Said):
    """The 201 body of a new connect link."""

    redirect_url: Annotated[StrictStr, AfterValidator(web_address)]
    connected_account_id: Id
    expires_at: Moment | None = None


class CompletedAuth(_Said):
    """The 200 body of complete_auth; the guide and the specification disagree on its shape."""

    connected_account_id: Id | None = None
    connected_account: Reference | None = None

    @property
    def account_id(self) -> str | None:
        """The account that was completed."""
        nested = self.connected_account.id if self.connected_account else None
        return self.connected_account_id or nested


class Toolkit(_Said):
    """What an auth config is for."""

    slug: str


class AuthConfig(_Said):
    """The part of an auth config that people read."""

    id: str
    toolkit: Toolkit


def answer(
    status: int, headers: Mapping[str, str], body: bytes, kind: Kind = Kind.INSTANCE
) -> Answer:
    """Return what a create call answered; `headers` is case-insensitive."""
    record, url = None, ""
    if status in {200, 201}:
        record, url = (_record(body), "") if kind is Kind.INSTANCE else _session(body)
    return Answer(status, record, url, problem(status, headers, body))


def problem(status: int, headers: Mapping[str, str], body: bytes) -> Problem:
    """Return why a call failed, as far as the response says it."""
    content = read_object(body) or {}
    error = content.get("error")
    said: dict[str, Any] = error if isinstance(error, dict) else content
    return Problem(
        message=_text(said.get("message")) or f"HTTP {status}",
        status=status,
        slug=_text(said.get("slug")),
        suggested_fix=_text(said.get("suggested_fix")),
        request_id=_text(headers.get("x-request-id")) or _text(said.get("request_id")),
        retry_after=_retry_after(headers),
        enveloped=isinstance(error, dict) and bool(_text(error.get("message"))),
    )


def read_object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in the body, or None where there is none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _record(body: bytes) -> Mapping[str, Any] | None:
    try:
        return InstanceRecord.model_validate_json(body).model_dump()
    except ValidationError:
        return None


def _session(body: bytes) -> tuple[Mapping[str, Any] | None, str]:
    """Return the record of a session and its URL; without a model, which each start would pay for.

    The version is left out where it is no number that can be stored.
    """
    said = read_object(body) or {}
    session_id, version, mcp = (said.get(one) for one in ("session_id", "config_version", "mcp"))
    url = web_address_or_empty(mcp.get("url")) if isinstance(mcp, dict) else ""
    if not (url and isinstance(session_id, str) and re.fullmatch(ID, session_id)):
        return None, ""
    stored = version if isinstance(version, int) and 0 <= version < 2**53 else None
    return {"session_id": session_id, "config_version": stored}, url


def _retry_after(headers: Mapping[str, str]) -> float | None:
    asked = headers.get("retry-after", "")
    if asked.isascii() and asked.isdigit():
        seconds = float(asked[:9])
    else:
        try:  # by the sender's own clock, which may differ from ours
            until, now = (
                datetime.strptime(one, HTTP_DATE)  # noqa: DTZ007 - both are in GMT
                for one in (asked, headers.get("date", ""))
            )
        except ValueError:
            return None
        seconds = (until - now).total_seconds()
    return min(max(seconds, 0), LONGEST_RETRY_AFTER_SECONDS)


def _text(value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    # JSON can spell half a character, which no store takes.
    return value[:LONGEST_TEXT].encode(errors="replace").decode()
