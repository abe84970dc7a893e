"""The synchronous door: API Gateway comes in, an answer goes out.

| answer | when |
|---|---|
| 200 | the fact is stored, or the event does not concern us |
| 400 | it is signed, but not what Composio sends |
| 401 | it is not provably Composio's; the answer never says why |
| 413 | it is larger than 256 KB |
| 503 | nothing could be recorded: send it again |
"""

import base64
import binascii
import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from handler import bootstrap
from handler.credentials import Credentials
from handler.events import NotAnEnvelope, parse
from handler.provisioning import Outcome, Provisioning
from handler.signature import NotAuthentic, verify
from handler.telemetry import Metric, count, logger, metrics

LARGEST_BODY = 256 * 1024
RETRY_AFTER_SECONDS = 30
SETTLE_SECONDS = 3
"""Kept back from the function's time, to store what became of a call."""


class Refused(Exception):
    """The request is answered with `status` and `message`, and nothing else comes of it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Webhook:
    """Answers deliveries; `clock` is Unix seconds."""

    def __init__(
        self,
        credentials: Credentials,
        provisioning: Provisioning,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._credentials = credentials
        self._provisioning = provisioning
        self._clock = clock

    def answer(self, request: Mapping[str, Any], *, seconds: float) -> dict[str, Any]:
        """Return the proxy response to a proxy request (payload 1.0), within so many seconds."""
        deadline = self._clock() + seconds - SETTLE_SECONDS
        count(Metric.EVENT_RECEIVED)
        try:
            return _response(200, self._deliver(request, deadline))
        except Refused as refused:
            return _response(refused.status, {"error": {"message": refused.message}})
        except Exception:  # noqa: BLE001 - whatever it was, the sender must try again
            logger.exception("nothing was recorded")
            count(Metric.NOT_RECORDED)
            return _response(503, {"error": {"message": "not recorded, send it again"}})

    def _deliver(self, request: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        body = self._authentic_body(request)
        try:
            event = parse(body)
        except NotAnEnvelope as malformed:
            logger.warning("event malformed", reason=str(malformed))
            count(Metric.EVENT_MALFORMED)
            raise Refused(400, str(malformed)) from None
        seen = self._provisioning.take(event, deadline=deadline)
        if seen.ignored:
            return {"ignored": seen.ignored}
        return {"servers": [_server(outcome) for outcome in seen.outcomes]}

    def _authentic_body(self, request: Mapping[str, Any]) -> bytes:
        headers = _headers(request)
        try:
            body = _body(request)
            logger.set_correlation_id(self._verify(headers, body)[:128])
        except NotAuthentic as why:
            logger.warning("delivery not authentic", reason=why.reason)
            count(Metric.AUTHENTICATION_FAILED)
            raise Refused(401, "not authentic") from None
        return body

    def _verify(self, headers: Mapping[str, list[str]], body: bytes) -> str:
        now = self._clock()
        try:
            return verify(headers, body, keys=self._credentials.webhook_keys(), now=now)
        except NotAuthentic as why:
            if not (why.wrong_key and self._credentials.refresh()):
                raise
        return verify(headers, body, keys=self._credentials.webhook_keys(), now=now)


def _headers(request: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return every value of every header, names in lower case."""
    headers: dict[str, list[str]] = {}
    for name, values in (request.get("multiValueHeaders") or {}).items():
        headers.setdefault(name.lower(), []).extend(values)
    return headers


def _body(request: Mapping[str, Any]) -> bytes:
    """Return the bytes that were signed."""
    text = request.get("body") or ""
    encoded = bool(request.get("isBase64Encoded"))
    if len(text) > LARGEST_BODY * (4 / 3 if encoded else 1) + 4:
        raise Refused(413, f"larger than {LARGEST_BODY} bytes")
    try:
        body = base64.b64decode(text, validate=True) if encoded else text.encode()
    except (binascii.Error, ValueError):
        raise NotAuthentic("body is not base64, or not text") from None
    if len(body) > LARGEST_BODY:
        raise Refused(413, f"larger than {LARGEST_BODY} bytes")
    return body


def _server(outcome: Outcome) -> dict[str, Any]:
    return {
        "server_id": outcome.server_id,
        "status": outcome.status,
        "missing": sorted(outcome.missing),
    }


def _response(status: int, content: Mapping[str, Any]) -> dict[str, Any]:
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    if status == 503:
        headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    return {"statusCode": status, "headers": headers, "body": json.dumps(content)}


def _door() -> Webhook:
    return Webhook(bootstrap.credentials(), bootstrap.provisioning())


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return _door().answer(event, seconds=context.get_remaining_time_in_millis() / 1000)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:  # the init phase: a wrong setting is told at start
    _door()
