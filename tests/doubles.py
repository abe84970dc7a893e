"""Doubles of the clock and of Secrets Manager, and readers of the log and of metrics."""

import io
import json
from collections.abc import Callable
from typing import Any

import httpx

from handler.telemetry import Metric

type Counted = Callable[[], dict[str, int]]
type Figured = Callable[[str], list[float]]

ANSWERS = {name for name in Metric if name.startswith("Composio") and name[8] in "2345N"}


class Clock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = 1767225600.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += seconds


class FakeSecretsManager:
    """Secrets Manager with one secret; `failure` is raised instead of returning it."""

    def __init__(self) -> None:
        self.text = ""
        self.failure: Exception | None = None
        self.fetches = 0

    def keep(self, api_key: str, *webhook_secrets: str) -> None:
        """Replace the secret."""
        content = {"composio_api_key": api_key, "webhook_secrets": list(webhook_secrets)}
        self.text = json.dumps(content)

    def get_secret_value(self, **request: str) -> dict[str, Any]:
        """GetSecretValue."""
        self.fetches += 1
        if self.failure:
            raise self.failure
        return {"Name": request["SecretId"], "SecretString": self.text}


class Log:
    """What the logger wrote."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        """The text, as CloudWatch would show it."""
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The parsed lines."""
        return [json.loads(line) for line in self.text.splitlines()]


class Killed(BaseException):
    """The process was killed; a BaseException, so that the handler cannot catch it."""


def die(_: httpx.Request) -> httpx.Response:
    """Kill the handler during this call."""
    raise Killed


def refusal(status: int, message: str, **headers: str) -> httpx.Response:
    """Return Composio's error envelope."""
    error = {
        "message": message,
        "code": 1,
        "slug": f"Slug_{status}",
        "status": status,
        "request_id": "req_1",
        "suggested_fix": "mend it",
    }
    return httpx.Response(status, json={"error": error}, headers=headers)
