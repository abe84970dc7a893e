"""`POST /users/{user_id}/connect-sessions`: the application makes a session for its user."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StrictStr, ValidationError

from handler.catalog import Catalog
from handler.connect_rules import (
    PAGE_SECONDS,
    START_SECONDS,
    ConnectSession,
    checked_label,
    checked_return_url,
    digest,
)
from handler.connect_table import ConnectTable
from handler.events import Id, problems
from handler.provisioning import Provisioning
from handler.requests import Refused, Request, Response
from handler.settings import Settings
from handler.signature import NotAuthentic
from handler.targets import Kind, TargetId
from handler.telemetry import Metric, count, logger
from handler.transport import Unavailable
from handler.urls import with_query
from handler.users import user_id_of

LARGEST_BODY = 4096


class SessionBody(BaseModel):
    """What the application says of a session; all of it may be left out."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    server_id: Id | None = None
    profile: Id | None = None
    label: Annotated[StrictStr, AfterValidator(checked_label)] = ""
    return_url: StrictStr = ""


@dataclass(eq=False)
class ConnectSessions:
    """Makes sessions; `clock` is Unix seconds."""

    settings: Settings
    table: ConnectTable
    catalog: Catalog
    provisioning: Provisioning
    clock: Callable[[], float]

    def create(self, request: Request, deadline: float) -> Response:
        """Store a session, and return where the application sends its user.

        Raises:
            Refused: The user id or the body is not usable, or what is required is not known.
        """
        user_id, body = user_id_of(request), _body(request)
        return_url = self._return_url(body.return_url)
        targets = self._targets(body, deadline)
        token, expires_at = secrets.token_urlsafe(32), int(self.clock()) + START_SECONDS
        session = ConnectSession(
            sid=digest(token),
            user_id=user_id,
            targets=targets,
            base=self._base(request),
            expires_at=expires_at,
            ends_at=expires_at + PAGE_SECONDS,
            label=body.label,
            return_url=return_url,
        )
        self.table.create(session)
        count(Metric.CONNECT_SESSION)
        logger.append_keys(user_id=self.provisioning.name(user_id), session=session.sid[:8])
        logger.info("connect session made")
        until = datetime.fromtimestamp(expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        url = f"{session.base}/connect"
        if self.settings.connect_start == "form":
            return Response(201, {"connect_url": url, "token": token, "expires_at": until})
        return Response(201, {"connect_url": with_query(url, {"t": token}), "expires_at": until})

    def _base(self, request: Request) -> str:
        base = self.settings.public_url or request.stage_url
        if not base:
            raise Refused(503, "the API's own URL is not known: set the parameter PublicUrl")
        return base

    def _return_url(self, asked: str) -> str:
        allowed = self.settings.return_url
        if not asked:
            return allowed
        if not allowed:
            raise Refused(400, "return_url: needs the parameter ReturnUrl, whose origin it has")
        try:
            return checked_return_url(asked, allowed)
        except ValueError as why:
            raise Refused(400, f"return_url: {why}") from None

    def _targets(self, body: SessionBody, deadline: float) -> tuple[str, ...]:
        named = {Kind.INSTANCE: body.server_id, Kind.SESSION: body.profile}
        if keys := [TargetId(kind, name) for kind, name in named.items() if name is not None]:
            for key in keys:
                self._demand(key, deadline)
            return tuple(key.sort_key for key in keys)
        view = self.catalog.known()
        if not view.up_to_date:
            view = self.catalog.sync(deadline=deadline)
        if not (view.targets or view.up_to_date):
            raise Refused(503, "the MCP servers could not be read at Composio yet")
        if not view.targets:  # the browser would be told at once that all is ready
            raise Refused(400, "no MCP server is enrolled, and there is no session profile")
        return tuple(one.key.sort_key for one in view.targets)

    def _demand(self, key: TargetId, deadline: float) -> None:
        try:
            gone = self.catalog.target(key, deadline=deadline).gone
        except Unavailable:
            raise Refused(503, "the MCP server could not be read at Composio") from None
        if gone:
            raise Refused(400, f"{key.field}: none of this name is enrolled")


def _body(request: Request) -> SessionBody:
    try:
        text = request.body()
    except NotAuthentic:
        raise Refused(400, "the body cannot be read") from None
    if len(text) > LARGEST_BODY:
        raise Refused(413, f"larger than {LARGEST_BODY} bytes")
    try:
        return SessionBody.model_validate_json(text or b"{}")
    except ValidationError as error:
        raise Refused(400, problems(error)) from None
