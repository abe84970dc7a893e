"""The synchronous entry point: answers the requests of API Gateway.

| route | who gets in |
|---|---|
| `POST /webhooks/composio` | what Composio signed |
| `GET /oauth/callback` | anybody; the account is confirmed at Composio (`callback`) |
| `/users/{user_id}`, and what is below it | IAM (`users`, `connect_sessions`) |
| `/connect`, and what is below it | the browser of a connect session (`connect`) |

Every refusal is a `Refused` with its status; 503 says that nothing was stored: send it again.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from handler import services
from handler.callback import Callback
from handler.decisions import SETTLE_SECONDS
from handler.events import NotAnEnvelope, parse
from handler.requests import Refused, Request, Response, Routes, refusal
from handler.services import Services
from handler.signature import NotAuthentic, verify
from handler.telemetry import Metric, count, logger, metrics
from handler.users import Users, named

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from handler.connect import Connect

CONNECT_ROUTES = (
    ("POST", "/users/{user_id}/connect-sessions"),
    ("GET", "/connect"),
    ("POST", "/connect"),
    ("POST", "/connect/link"),
    ("GET", "/connect/return"),
    ("GET", "/connect/verify"),
)
"""What `connect` answers, which is imported when one of these is asked for."""


@dataclass(eq=False)
class Webhook:
    """Answers Composio's deliveries, and hands the other routes on."""

    services: Services
    callback: Callback
    users: Users

    @cached_property
    def connect(self) -> "Connect":
        """What answers the routes of connect sessions."""
        from handler import connect  # noqa: PLC0415 -- only browsers need it, and events start sooner

        return connect.wire(self.services)

    @property
    def routes(self) -> Routes:
        """All that is answered."""
        return {
            ("POST", "/webhooks/composio"): self._deliver,
            ("GET", "/oauth/callback"): self.callback.confirm,
            **self.users.routes,
            **dict.fromkeys(CONNECT_ROUTES, self._connect),
        }

    def answer(self, event: Mapping[str, Any], *, seconds: float) -> dict[str, Any]:
        """Return the proxy response to a proxy request (payload 1.0), within so many seconds."""
        deadline = self.services.sources.clock() + seconds - SETTLE_SECONDS
        request = Request.of(event)
        count(Metric.REQUEST)
        try:
            answer = self.routes.get((request.method, request.resource), _unknown_route)
            return answer(request, deadline).proxy()
        except Refused as refused:
            return refusal(refused).proxy()
        except Exception:  # noqa: BLE001 - whatever it was, it is safe to try again
            logger.exception("nothing was recorded")
            count(Metric.NOT_RECORDED)
            return refusal(Refused(503, "not recorded, send it again")).proxy()

    def _connect(self, request: Request, deadline: float) -> Response:
        return self.connect.routes[request.method, request.resource](request, deadline)

    def _deliver(self, request: Request, deadline: float) -> Response:
        count(Metric.EVENT_RECEIVED)
        body = self._authentic_body(request)
        try:
            event = parse(body)
        except NotAnEnvelope as malformed:
            logger.warning("event malformed", reason=str(malformed))
            count(Metric.EVENT_MALFORMED)
            raise Refused(400, str(malformed)) from None
        seen = self.services.provisioning.handle_event(event, deadline=deadline)
        if seen.ignored:
            return Response(200, {"ignored": seen.ignored})
        toolkits = self.services.catalog.toolkits()
        targets = [
            {**one.target.told, "status": one.status, "missing": named(one.missing, toolkits)}
            for one in seen.outcomes
        ]
        return Response(200, {"targets": targets})

    def _authentic_body(self, request: Request) -> bytes:
        try:
            body = request.body()
            logger.set_correlation_id(self._verify(request.headers, body)[:128])
        except NotAuthentic as why:
            logger.warning("delivery not authentic", reason=str(why))
            count(Metric.AUTHENTICATION_FAILED)
            raise Refused(401, "not authentic") from None
        return body

    def _verify(self, headers: Mapping[str, list[str]], body: bytes) -> str:
        credentials, now = self.services.credentials, self.services.sources.clock()
        try:
            return verify(headers, body, keys=credentials.webhook_keys(), now=now)
        except NotAuthentic as why:
            if not (why.wrong_key and credentials.refresh()):
                raise
        return verify(headers, body, keys=credentials.webhook_keys(), now=now)


def wire(given: Services) -> Webhook:
    """Return the entry point over these services."""
    composio, provisioning, catalog = given.composio, given.provisioning, given.catalog
    table, clock, sleep = given.target_table, given.sources.clock, given.sources.sleep
    url = given.settings.return_url
    callback = Callback(composio, provisioning, catalog, table, url, clock, sleep)
    return Webhook(given, callback, Users(table, catalog, composio, provisioning, clock))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return _deployed().answer(event, seconds=context.get_remaining_time_in_millis() / 1000)


def _unknown_route(_: Request, __: float) -> Response:
    raise Refused(404, "there is nothing here")


@cache
def _deployed() -> Webhook:
    return wire(services.deployed())


if "AWS_LAMBDA_RUNTIME_API" in os.environ:  # the init phase: a wrong setting is told at start
    _deployed()
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from handler import snapshot  # it needs a library that Lambda has only there

        snapshot.register()
