"""The synchronous door: API Gateway comes in, an answer goes out.

| route | room | who gets in |
|---|---|---|
| `POST /webhooks/composio` | `deliveries` | what Composio signed |
| `GET /oauth/callback` | `callback` | anybody; the account is confirmed at Composio |
| `GET /users/{user_id}` | `users` | IAM |
| `POST /users/{user_id}/refresh` | `users` | IAM |
"""

import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from handler import bootstrap
from handler.callback import Callback
from handler.deliveries import Deliveries
from handler.requests import Refused, Request, Response, refusal
from handler.telemetry import Metric, count, logger, metrics
from handler.users import Users

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

SETTLE_SECONDS = 3
"""Kept back from the function's time, to store what became of a call."""


class Webhook:
    """Finds the room for a request; `clock` is Unix seconds."""

    def __init__(
        self,
        deliveries: Deliveries,
        callback: Callback,
        users: Users,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rooms: dict[tuple[str, str], Callable[[Request, float], Response]] = {
            ("POST", "/webhooks/composio"): deliveries.take,
            ("GET", "/oauth/callback"): callback.come_back,
            ("GET", "/users/{user_id}"): users.show,
            ("POST", "/users/{user_id}/refresh"): users.refresh,
        }
        self._clock = clock

    def answer(self, event: Mapping[str, Any], *, seconds: float) -> dict[str, Any]:
        """Return the proxy response to a proxy request (payload 1.0), within so many seconds."""
        deadline = self._clock() + seconds - SETTLE_SECONDS
        request = Request.of(event)
        count(Metric.REQUEST)
        try:
            room = self._rooms.get((request.method, request.resource), _nothing_here)
            return room(request, deadline).proxy()
        except Refused as refused:
            return refusal(refused).proxy()
        except Exception:  # noqa: BLE001 - whatever it was, it is safe to try again
            logger.exception("nothing was recorded")
            count(Metric.NOT_RECORDED)
            return refusal(Refused(503, "not recorded, send it again")).proxy()


def _nothing_here(_: Request, __: float) -> Response:
    raise Refused(404, "there is nothing here")


@cache
def _door() -> Webhook:
    provisioning, composio = bootstrap.provisioning(), bootstrap.composio()
    table, catalog = bootstrap.table(), bootstrap.catalog()
    return_url = bootstrap.settings().return_url
    return Webhook(
        Deliveries(bootstrap.credentials(), provisioning),
        Callback(composio, provisioning, catalog, table, return_url),
        Users(table, catalog, composio, provisioning),
    )


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return _door().answer(event, seconds=context.get_remaining_time_in_millis() / 1000)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:  # the init phase: a wrong setting is told at start
    _door()
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from handler import snapshot  # it needs a library that Lambda has only there

        snapshot.register()
