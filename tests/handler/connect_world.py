"""Composio's connect links, browsers that follow them, and the application that starts it."""

import json
import re
from datetime import UTC, datetime
from html import unescape
from itertools import count as numbers
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from handler.connect_rules import digest
from handler.dynamodb import from_item
from handler.events import timestamp
from tests.doubles import refusal
from tests.upstream import FakeComposio
from tests.world import GMAIL, SLACK, World

BASE = "https://api.invalid/live"
RETURN_URL = "https://app.invalid/done"


class LinkingComposio(FakeComposio):
    """Composio with connect links, and with callback identity verification."""

    def __init__(self, world: World) -> None:
        super().__init__(world.upstream.servers, world.upstream.toolkits)
        self.world = world
        self.links: list[dict[str, Any]] = []
        self.before_link: list[Any] = []
        """Answers, errors or callables, one for each link that is requested."""
        self.unlisted: set[str] = set()
        """Accounts that lists do not include yet."""
        self.sessions: dict[str, tuple[str, str]] = {}
        """The account and the user of each session URI that has not been used."""
        self.completed: list[str] = []
        self.complete_with: Any = lambda account_id: {"connected_account_id": account_id}
        self._numbers = numbers(1)

    @property
    def creates(self) -> int:
        return sum(one.url.path.endswith("/instances") for one in self.posts)

    @property
    def posts(self) -> list[httpx.Request]:
        """The calls that change something."""
        return [one for one in self.requests if one.method == "POST"]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and not self.down:
            if request.url.path == "/api/v3/connected_accounts/link":
                self.requests.append(request)
                return self._link(json.loads(request.content))
            if request.url.path == "/api/v3.1/connected_accounts/complete_auth":
                self.requests.append(request)
                return self._complete(json.loads(request.content))
        return super().__call__(request)

    def consent(self, account_id: str, status: str = "ACTIVE") -> None:
        """Let the user consent; the account gets the status."""
        self.world.now += 1
        self.accounts[account_id] |= {"status": status, "updated_at": self._now()}

    def verified_by(self, account_id: str, user_id: str = "user_1") -> str:
        """Return the session URI that Composio gives the browser after a consent."""
        uri = f"session_{next(self._numbers)}"
        self.sessions[uri] = (account_id, user_id)
        return uri

    def _now(self) -> str:
        return timestamp(datetime.fromtimestamp(self.world.now, UTC))

    def _link(self, body: dict[str, str]) -> httpx.Response:
        if self.before_link:
            step = self.before_link.pop(0)
            if isinstance(step, Exception):
                raise step
            if isinstance(step, httpx.Response):
                return step
            step()
        number = next(self._numbers)
        account_id, token = f"ca_made_{number}", f"ln_{number}"
        self.accounts[account_id] = {
            "id": account_id,
            "user_id": body["user_id"],
            "auth_config": {"id": body["auth_config_id"], "is_disabled": False},
            "status": "INITIALIZING",
            "is_disabled": False,
            "created_at": self._now(),
            "updated_at": self._now(),
        }
        link = {
            "link_token": token,
            "redirect_url": f"https://connect.invalid/link/{token}",
            "expires_at": timestamp(datetime.fromtimestamp(self.world.now + 600, UTC)),
            "connected_account_id": account_id,
        }
        self.links.append(link | body)
        return httpx.Response(201, json=link)

    def _complete(self, body: dict[str, str]) -> httpx.Response:
        self.completed.append(body["session_uri"])
        account_id, user_id = self.sessions.pop(body["session_uri"], ("", ""))
        if not account_id:
            return refusal(404, "unknown, expired or used")
        if user_id != body["user_id"]:
            self.consent(account_id, "FAILED")
            return refusal(400, "not this user")
        self.consent(account_id)
        if isinstance(self.complete_with, Exception):
            raise self.complete_with
        return httpx.Response(200, json=self.complete_with(account_id))

    def _accounts(self, params: httpx.QueryParams) -> httpx.Response:
        hidden = {one: self.accounts.pop(one) for one in self.unlisted & self.accounts.keys()}
        try:
            return super()._accounts(params)
        finally:
            self.accounts |= hidden


class ConnectWorld(World):
    """The handler with connect sessions, which the application makes through the API."""

    upstream: LinkingComposio

    def __init__(self, servers: dict[str, list[str]] | None = None, **settings: Any) -> None:
        enrolled = {"enrolled": servers} if servers else {}
        super().__init__(**({"return_url": RETURN_URL} | enrolled | settings))
        self.upstream = LinkingComposio(self)
        self.upstream.servers = servers or self.upstream.servers
        self.start()
        self.catalog.sync(deadline=self.now + 20)
        self.trips()

    def session(self, user_id: str = "user_1", **body: Any) -> dict[str, Any]:
        """Let the application make a session, and return the answer."""
        made = self.ask(
            "POST",
            "/users/{user_id}/connect-sessions",
            pathParameters={"user_id": user_id},
            body=json.dumps(body),
        )
        return made | {"body": json.loads(made["body"])}

    def token(self, user_id: str = "user_1", **body: Any) -> str:
        """Let the application make a session, and return its token."""
        made = self.session(user_id, **body)["body"]
        return str(made.get("token") or parse_qs(urlsplit(made["connect_url"]).query)["t"][0])

    def stored(self, token: str) -> dict[str, Any]:
        """Return the row of a session."""
        key = {"pk": {"S": f"CONNECT#{digest(token)}"}, "sk": {"S": "SESSION"}}
        return from_item(self.db.get_item(TableName="table", Key=key).get("Item", {}))

    def writes(self) -> list[str]:
        """Return the writes to the table since the last call of `trips`."""
        return [name for name in self.trips()[0] if name != "Query"]


class Browser:
    """Keeps a cookie and sends `Sec-Fetch-Site`, as a browser does."""

    def __init__(self, world: ConnectWorld) -> None:
        self.world = world
        self.cookies: dict[str, str] = {}

    def get(self, path: str, headers: dict[str, list[str]] | None = None, **query: str) -> "Page":
        """Open a page."""
        return self._send("GET", path, headers or {}, query=query)

    def post(self, path: str, headers: dict[str, list[str]] | None = None, **fields: str) -> "Page":
        """Send a form; without `headers`, from one of our own pages."""
        sent = {"sec-fetch-site": ["same-origin"]} if headers is None else headers
        return self._send("POST", path, sent, body=urlencode(fields))

    def start(self, token: str) -> "Page":
        """Press Continue on the start page."""
        return self.post("/connect", token=token)

    def connect(self, sid: str, auth_config_id: str) -> "Page":
        """Press Connect in the list."""
        return self.post("/connect/link", s=sid, ac=auth_config_id)

    def _send(self, method: str, path: str, headers: dict[str, Any], **more: Any) -> "Page":
        if self.cookies and "cookie" not in headers:
            sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            headers = headers | {"cookie": [sent]}
        answer = self.world.ask(method, path, multiValueHeaders=headers, **more)
        if given := answer["headers"].get("set-cookie"):
            name, _, value = given.split(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in given:
                del self.cookies[name]
        return Page(answer)


class Page:
    """An answer, as a user and a browser see it."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.status = int(answer["statusCode"])
        self.headers: dict[str, str] = answer["headers"]
        self.html = str(answer["body"])

    @property
    def title(self) -> str:
        """The heading."""
        return unescape(re.findall(r"<h1>(.*?)</h1>", self.html)[0])

    @property
    def location(self) -> str:
        """Where the browser goes next, by a redirect or a refresh."""
        if "location" in self.headers:
            return self.headers["location"]
        (found,) = re.findall(r'http-equiv="refresh" content="0; url=(.*?)"', self.html)
        return unescape(found)

    @property
    def rows(self) -> dict[str, str]:
        found = re.findall(r"<li.*?<span>(.*?)</span>(.*?)</li>", self.html)
        return {name: re.sub(r"<.*?>", " ", rest).strip() for name, rest in found}


def started(world: ConnectWorld, user_id: str = "user_1", **body: Any) -> tuple[Browser, str]:
    """Return a browser that has started a session, and the session's id."""
    browser, token = Browser(world), world.token(user_id, **body)
    assert browser.start(token).status == 303
    return browser, digest(token)


def connected(browser: Browser, sid: str, *auth_config_ids: str) -> Page:
    """Let the user connect accounts, and return the answer to the last return."""
    for one in auth_config_ids:
        assert browser.connect(sid, one).status == 200
        account_id = str(browser.world.upstream.links[-1]["connected_account_id"])
        browser.world.upstream.consent(account_id)
        page = browser.get("/connect/return", status="success", connected_account_id=account_id)
    return page


def consented(world: ConnectWorld) -> Browser:
    """Return a browser whose user has given the last consent, and has not come back."""
    browser, sid = started(world)
    connected(browser, sid, GMAIL)
    browser.connect(sid, SLACK)
    world.upstream.consent("ca_made_2")
    return browser
