"""`POST /webhooks/composio`: what Composio signed is taken, and nothing else.

| answer | when |
|---|---|
| 200 | the fact is stored, or the event does not concern us |
| 400 | it is signed, but not what Composio sends |
| 401 | it is not provably Composio's; the answer never says why |
| 413 | it is larger than 256 KB |
| 503 | the fact or the claim could not be stored: send it again |
"""

import time
from collections.abc import Callable, Mapping

from handler.credentials import Credentials
from handler.events import NotAnEnvelope, parse
from handler.provisioning import Provisioning
from handler.requests import NotText, Refused, Request, Response
from handler.signature import NotAuthentic, verify
from handler.telemetry import Metric, count, logger


class Deliveries:
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

    def take(self, request: Request, deadline: float) -> Response:
        """Take one delivery; `deadline` is the Unix time to be back at.

        Raises:
            Refused: It is not Composio's, or not an envelope.
            Exception: It could not be stored.
        """
        count(Metric.EVENT_RECEIVED)
        body = self._authentic_body(request)
        try:
            event = parse(body)
        except NotAnEnvelope as malformed:
            logger.warning("event malformed", reason=str(malformed))
            count(Metric.EVENT_MALFORMED)
            raise Refused(400, str(malformed)) from None
        seen = self._provisioning.take(event, deadline=deadline)
        if seen.ignored:
            return Response(200, {"ignored": seen.ignored})
        servers = [
            {"server_id": one.server_id, "status": one.status, "missing": sorted(one.missing)}
            for one in seen.outcomes
        ]
        return Response(200, {"servers": servers})

    def _authentic_body(self, request: Request) -> bytes:
        try:
            body = request.body()
            logger.set_correlation_id(self._verify(request.headers, body)[:128])
        except (NotAuthentic, NotText) as why:
            logger.warning("delivery not authentic", reason=str(why))
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
