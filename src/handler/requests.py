"""A request of API Gateway and the answer to it, as values."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

from handler.signature import NotAuthentic

LARGEST_BODY = 256 * 1024
RETRY_AFTER_SECONDS = 30

SECURITY_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=63072000",
    "x-content-type-options": "nosniff",
}


class Refused(Exception):
    """The request is answered with `status` and `message`, and nothing else comes of it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Request(NamedTuple):
    """A proxy request (payload 1.0); every value of every header and of the query is there."""

    method: str
    resource: str
    headers: Mapping[str, list[str]]
    query: Mapping[str, list[str]]
    path: Mapping[str, str]
    text: str
    encoded: bool
    stage_url: str = ""
    """The API as API Gateway names it, never as a header does; "" where it says nothing."""

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """Read the event of API Gateway; names of headers become lower case."""
        headers: dict[str, list[str]] = {}
        for name, values in (event.get("multiValueHeaders") or {}).items():
            headers.setdefault(name.lower(), []).extend(values)
        context = event.get("requestContext") or {}
        domain, stage = context.get("domainName"), context.get("stage")
        return cls(
            method=event.get("httpMethod") or "",
            resource=event.get("resource") or "",
            headers=headers,
            query=event.get("multiValueQueryStringParameters") or {},
            path=event.get("pathParameters") or {},
            text=event.get("body") or "",
            encoded=bool(event.get("isBase64Encoded")),
            stage_url=f"https://{domain}/{stage}" if domain and stage else "",
        )

    def body(self) -> bytes:
        """Return the bytes that were sent.

        Raises:
            Refused: They are more than 256 KB.
            NotAuthentic: They cannot be read, and so were not signed.
        """
        # What is longer than this is too large however it is read.
        if len(self.text) <= LARGEST_BODY * (4 / 3 if self.encoded else 1) + 4:
            try:
                text = self.text.encode()
                body = base64.b64decode(text, validate=True) if self.encoded else text
            except ValueError:
                raise NotAuthentic("body is not base64, or not text") from None
            if len(body) <= LARGEST_BODY:
                return body
        raise Refused(413, f"larger than {LARGEST_BODY} bytes")

    def only(self, *names: str) -> str | None:
        """Return the one value that the query has under these names; None without, or with more."""
        values = {value for name in names for value in self.query.get(name, ())}
        return values.pop() if len(values) == 1 else None


class Response(NamedTuple):
    """An answer: JSON where `content` is a mapping, and HTML where it is text."""

    status: int
    content: Mapping[str, Any] | str
    headers: Mapping[str, str] = {}

    def proxy(self) -> dict[str, Any]:
        """Return the proxy response."""
        html = isinstance(self.content, str)
        kind = "text/html; charset=utf-8" if html else "application/json"
        return {
            "statusCode": self.status,
            "headers": {**SECURITY_HEADERS, "content-type": kind, **self.headers},
            "body": self.content if html else json.dumps(self.content, default=int),
        }


type Routes = Mapping[tuple[str, str], Callable[[Request, float], Response]]
"""What answers a method and a resource, given the Unix time to be back at."""


def refusal(refused: Refused) -> Response:
    """Return the answer to a request that was refused."""
    later = {"retry-after": str(RETRY_AFTER_SECONDS)} if refused.status == 503 else {}
    return Response(refused.status, {"error": {"message": refused.message}}, later)
