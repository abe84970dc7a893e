"""What a connect session allows: values in, values out.

A session lets one browser connect one user's accounts. Whoever has its token may start it, once;
from then on a cookie says which browser that was. Only hashes of token and cookie are kept.
"""

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from handler.events import Account
from handler.targets import OPEN
from handler.urls import LONGEST, origin, web_address

START_SECONDS = 1800
"""How long a session can be started, and links be made in it."""

PAGE_SECONDS = 900
"""How much longer its pages are shown, for whoever comes back late."""

CLAIM_SECONDS = 30
"""How long a click keeps the others from making a link for the same auth config."""

EXPIRING_SECONDS = 60
"""A link that ends so soon is not handed out again."""

LINK_SECONDS = 600
"""How long Composio keeps a link (its KB, "Connected accounts")."""

MOST_CALLS = 100
"""Calls to Composio that one session's browser may cause."""

WATCH_DELAYS = (20, 40, 80, 160, 300)
"""Seconds after which the account of a new link is looked at, whether or not the tab is open."""

LONGEST_LABEL = 80

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
"""`secrets.token_urlsafe(32)`: tokens, the cookie's secret, and, in the same letters, SHA-256."""

SESSION_URI = re.compile(r"[!-~]{1,1024}")

_OURS = frozenset({"status", "connected_account_id"})
_SECURE_COOKIE, _LOOPBACK_COOKIE = "__Host-connect", "connect"
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


class AuthConfigState(StrEnum):
    """How far one auth config is, on the page."""

    CONNECTED = "connected"
    NEW = "new"
    ENDED = "ended"
    """There was an account, and it expired, failed or was revoked."""


class Attempt(NamedTuple):
    """The link of one auth config, and the click that makes it or looks after it."""

    claim: str = ""
    free_at: int = 0
    """Until when (Unix seconds) no other click does anything."""
    account: str = ""
    url: str = ""
    until: int = 0
    """Until when (Unix seconds) Composio takes somebody at the URL."""

    def open(self, now: float) -> bool:
        """Whether somebody may be at Composio with this link."""
        return bool(self.account) and now < self.until

    def usable(self, now: float) -> bool:
        """Whether the link can be handed out again."""
        return bool(self.url) and now < self.until - EXPIRING_SECONDS


class ConnectSession(NamedTuple):
    """The row of one connect session; times are Unix seconds."""

    sid: str
    user_id: str
    targets: tuple[str, ...]
    """The sort keys of the targets whose auth configs it is about."""
    base: str
    """The URL of the API as the application reached it."""
    expires_at: int
    """Until when it can be started, and links be made."""
    ends_at: int
    """When it is as if it had never been."""
    label: str = ""
    return_url: str = ""
    browser: str = ""
    """The hash of the cookie's secret; "" until a browser has started the session."""
    calls: int = 0
    links: int = 0
    attempts: Mapping[str, Attempt] = {}
    """By auth config."""
    made: Mapping[str, str] = {}
    """The auth config of each connected account whose link was made here."""

    @property
    def spent(self) -> bool:
        """Whether its browser has caused all the calls to Composio that it may."""
        return self.calls >= MOST_CALLS

    def attempted(self, now: float) -> bool:
        """Whether somebody may be at Composio with a link of this session."""
        return any(one.open(now) for one in self.attempts.values())


class BrowserCookie(NamedTuple):
    """What the cookie says."""

    name: str
    sid: str
    secret: str

    def opens(self, session: ConnectSession) -> bool:
        """Whether the session is of the browser that sent it."""
        named = self.name == _cookie_name(session.base)
        return named and hmac.compare_digest(digest(self.secret), session.browser)


def digest(secret: str) -> str:
    """Return what is kept of a secret: its SHA-256, base64url without padding."""
    hashed = hashlib.sha256(secret.encode()).digest()
    return base64.urlsafe_b64encode(hashed).decode().rstrip("=")


def most_links(required: int) -> int:
    """Return how many links a session may make that is about so many auth configs."""
    return 2 * required + 4


def read_cookie(headers: Mapping[str, Iterable[str]]) -> BrowserCookie | None:
    """Return what the browser's cookie says; None without one, or with two."""
    pairs = [
        part.strip().partition("=")
        for header in headers.get("cookie", ())
        for part in header.split(";")
    ]
    for wanted in (_SECURE_COOKIE, _LOOPBACK_COOKIE):
        values = [value for name, _, value in pairs if name == wanted]
        if values:
            sid, _, secret = values[0].partition(".")
            read = len(values) == 1 and TOKEN.fullmatch(sid) and TOKEN.fullmatch(secret)
            return BrowserCookie(wanted, sid, secret) if read else None
    return None


def set_cookie(session: ConnectSession, secret: str) -> str:
    """Return the header that gives a browser its cookie, or, without a secret, takes it away."""
    value, age = (f"{session.sid}.{secret}", START_SECONDS + PAGE_SECONDS) if secret else ("", 0)
    name = _cookie_name(session.base)
    secure = "; Secure" if name == _SECURE_COOKIE else ""
    return f"{name}={value}; Path=/{secure}; HttpOnly; SameSite=Lax; Max-Age={age}"


def from_own_page(headers: Mapping[str, list[str]], base: str) -> bool:
    """Whether a page of ours sent the request; only browsers without the newer header name it."""
    if "sec-fetch-site" in headers:
        return headers["sec-fetch-site"] == ["same-origin"]
    return headers.get("origin") == [origin(base)]


def from_application(headers: Mapping[str, list[str]], return_url: str) -> bool:
    """Whether a page of the application sent the request."""
    return headers.get("origin") == [origin(return_url)]


def checked_return_url(url: str, allowed: str) -> str:
    """Return where the browser goes on to in the end; `allowed` is the template's ReturnUrl.

    Raises:
        ValueError: It is not a place of the application, or could be read as another one.
    """
    if len(url) > LONGEST:
        raise ValueError(f"must be at most {LONGEST} characters")
    if origin(web_address(url)) != origin(allowed):
        raise ValueError("must have the scheme, host and port of the parameter ReturnUrl")
    names = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    if names & _OURS:
        raise ValueError("must not have status or connected_account_id: they are added")
    return url


def checked_label(label: str) -> str:
    """Return whom the page says that accounts are connected for.

    Raises:
        ValueError: It is too long, or has characters that change how others are shown.
    """
    text = unicodedata.normalize("NFC", label.strip())
    if any(one in _BIDI or unicodedata.category(one) in _UNSEEN for one in text):
        raise ValueError("must not have control characters or marks of direction")
    if len(text) > LONGEST_LABEL:
        raise ValueError(f"must be at most {LONGEST_LABEL} characters")
    return text


def auth_config_states(
    required: Iterable[str], accounts: Iterable[Account]
) -> dict[str, AuthConfigState]:
    """Return how far each auth config is, by what is known of the user's accounts."""
    known = tuple(accounts)
    active = {one.auth_config_id for one in known if one.active}
    ended = {one.auth_config_id for one in known if one.status not in OPEN}

    def state(auth_config_id: str) -> AuthConfigState:
        if auth_config_id in active:
            return AuthConfigState.CONNECTED
        return AuthConfigState.ENDED if auth_config_id in ended else AuthConfigState.NEW

    return {one: state(one) for one in required}


def _cookie_name(base: str) -> str:
    return _SECURE_COOKIE if base.startswith("https:") else _LOOPBACK_COOKIE
