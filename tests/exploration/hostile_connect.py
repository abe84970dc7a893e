"""Requests to the routes of connect sessions of people who mean no good.

They know everything that can be known without being that user: the ids of sessions, of accounts and
of auth configs, and how the pages are built; not the token of the session, and not the cookie.
"""

from random import Random
from typing import Any
from urllib.parse import urlencode

from tests.exploration.hostile import CANARY, NASTY
from tests.world import GMAIL, SLACK

ROUTES = [
    ("GET", "/connect"),
    ("POST", "/connect"),
    ("POST", "/connect/link"),
    ("GET", "/connect/return"),
    ("GET", "/connect/verify"),
]
SITES = ["same-origin", "same-site", "cross-site", "none", "", CANARY]
ORIGINS = ["https://api.invalid", "https://app.invalid", "null", "https://evil.invalid", CANARY]


class ConnectGenerator:
    """Makes requests about the session `sid`; `token` is one that has been started elsewhere."""

    def __init__(self, seed: int, sid: str, token: str) -> None:
        self._random = Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self._sid, self._token = sid, token

    def request(self) -> dict[str, Any]:
        """Make one more."""
        method, resource = self._random.choice(ROUTES)
        body = self._form()
        return {
            "httpMethod": method,
            "resource": resource,
            "multiValueHeaders": self._headers(),
            "multiValueQueryStringParameters": self._query(),
            "isBase64Encoded": self._random.random() < 0.1,
            "body": body if method == "POST" or self._random.random() < 0.1 else None,
            "requestContext": {"domainName": "evil.invalid", "stage": CANARY},
        }

    def _headers(self) -> dict[str, list[str]]:
        dice, headers = self._random, dict[str, list[str]]()
        if dice.random() < 0.8:
            headers["Cookie"] = [self._cookie() for _ in range(dice.choice([1, 1, 1, 2]))]
        if dice.random() < 0.7:
            headers["Sec-Fetch-Site"] = [dice.choice(SITES) for _ in range(dice.choice([1, 1, 2]))]
        if dice.random() < 0.7:
            headers["Origin"] = [dice.choice(ORIGINS)]
        for name in ("Host", "X-Forwarded-Host", "Referer"):
            headers[name] = [self._text()]
        return headers

    def _cookie(self) -> str:
        name = self._random.choice(["__Host-connect", "connect", "__Host-connect ", self._text()])
        secret = self._random.choice([self._sid, self._token, "A" * 43, "", self._text()])
        value = self._random.choice([f"{self._sid}.{secret}", f"{secret}.{self._sid}", secret])
        pair = f"{name}={value}"
        return self._random.choice([pair, f"{pair}; {pair}", f"a=b;{pair};", f"{pair},{pair}"])

    def _query(self) -> dict[str, list[str]] | None:
        dice = self._random
        names = ["t", "session_uri", "connected_account_id", "status", "error", self._text()]
        values = [self._token, self._sid, "ca_made_1", "session_1", "A" * 43]
        return {
            name: [dice.choice([*values, self._text()]) for _ in range(dice.choice([1, 1, 1, 2]))]
            for name in dice.sample(names, dice.randrange(len(names)))
        } or None

    def _form(self) -> str:
        dice = self._random
        if dice.random() < 0.1:
            return self._text() * dice.choice([1, 100])
        fields = [
            ("token", dice.choice([self._token, "A" * 43, self._text()])),
            ("s", dice.choice([self._sid, self._text()])),
            ("ac", dice.choice([GMAIL, SLACK, self._text()])),
            (self._text(), self._text()),
        ]
        chosen = dice.choices(fields, k=dice.randrange(6))
        return urlencode(chosen, errors="replace")

    def _text(self) -> str:
        dice = self._random
        made = dice.choice(NASTY) + dice.choice(["", CANARY, dice.choice(NASTY)])
        return made if dice.random() < 0.95 else (CANARY + "Aé") * 1000
