"""Hostile and unlucky cases of connect sessions."""

import json
from typing import Any

import pytest

from handler.connect_rules import digest
from tests.handler.connect_world import BASE, Browser, ConnectWorld, started
from tests.world import GMAIL, SLACK

MADE_UP = "A" * 43
MALFORMED = ["", "A", "A" * 42, "A" * 44, "A" * 8192, "A" * 42 + "=", "A" * 42 + "\u00e9"]
"""Tokens that the handler never makes."""

FOREIGN: list[dict[str, list[str]]] = [
    {},
    {"sec-fetch-site": ["cross-site"], "origin": [BASE.removesuffix("/live")]},
    {"sec-fetch-site": ["same-site"]},
    {"sec-fetch-site": ["none"]},
    {"sec-fetch-site": ["same-origin", "same-origin"]},
    {"origin": ["null"]},
    {"origin": ["https://evil.invalid"]},
    {"origin": ["https://api.invalid.evil.invalid"]},
    {"origin": ["http://api.invalid"]},
    {"origin": ["https://api.invalid:8443"]},
]
"""Headers of a form that does not come from one of our own pages."""


@pytest.fixture
def world() -> ConnectWorld:
    return ConnectWorld()


def shown(answer: dict[str, Any]) -> tuple[int, str, dict[str, str]]:
    return answer["statusCode"], answer["body"], answer["headers"]


def ask_start_page(world: ConnectWorld, *tokens: str) -> dict[str, Any]:
    query = {"t": list(tokens)}
    return world.ask("GET", "/connect", multiValueQueryStringParameters=query)


def test_made_up_expired_and_malformed_tokens_look_the_same(world: ConnectWorld) -> None:
    expired = world.token()
    world.now += 1800
    first = shown(ask_start_page(world, MADE_UP))
    assert first[0] == 404
    assert shown(ask_start_page(world, expired)) == first
    world.trips()
    for token in MALFORMED:
        assert shown(ask_start_page(world, token)) == first
    assert shown(ask_start_page(world, expired, expired)) == first
    assert world.trips()[0] == []


def test_expired_session_cannot_be_started(world: ConnectWorld) -> None:
    token, browser = world.token(), Browser(world)
    world.now += 1800

    assert browser.start(token).status == 404
    assert "browser" not in world.stored(token)


def test_expired_session_makes_no_calls_and_no_writes(world: ConnectWorld) -> None:
    browser, sid = started(world)
    browser.connect(sid, GMAIL)
    world.now += 1800
    assert browser.get("/connect").status == 200
    assert browser.connect(sid, SLACK).status == 404
    world.now += 900
    world.trips()

    # DynamoDB deletes it some time later.
    assert browser.get("/connect").status == 404
    assert browser.get("/connect/return").title == "You can go back now"
    assert browser.get("/connect/verify", session_uri="session_1").title == "You can go back now"
    assert world.upstream.requests == []
    assert world.writes() == []


@pytest.mark.parametrize("looks", [10, pytest.param(10_000, marks=pytest.mark.slow)])
def test_viewing_the_start_page_writes_nothing_and_the_user_can_still_start(
    world: ConnectWorld, looks: int
) -> None:
    token, browser = world.token(), Browser(world)
    world.trips()
    query = {"t": [token]}
    event = {"httpMethod": "GET", "resource": "/connect", "multiValueQueryStringParameters": query}
    for _ in range(looks):
        assert world.webhook.answer(event, seconds=25)["statusCode"] == 200

    assert world.writes() == []
    assert browser.start(token).status == 303


@pytest.mark.parametrize("headers", FOREIGN, ids=json.dumps)
def test_form_of_another_site_starts_nothing_and_makes_no_call(
    world: ConnectWorld, headers: dict[str, list[str]]
) -> None:
    token, browser = world.token(), Browser(world)
    world.trips()

    assert browser.post("/connect", headers, token=token).status == 403
    assert (browser.cookies, world.writes()) == ({}, [])
    assert browser.start(token).status == 303
    world.trips()
    assert browser.post("/connect/link", headers, s=digest(token), ac=GMAIL).status == 403
    assert (world.upstream.requests, world.writes()) == ([], [])


def test_in_form_mode_only_the_application_can_start_a_session() -> None:
    world = ConnectWorld(connect_start="form")
    made = world.session()["body"]
    assert made["connect_url"] == f"{BASE}/connect"
    token, browser = made["token"], Browser(world)

    assert browser.get("/connect", t=token).html == browser.get("/connect", t=MADE_UP).html
    assert browser.get("/connect", t=token).status == 404
    own = {"sec-fetch-site": ["same-origin"], "origin": ["https://api.invalid"]}
    assert browser.post("/connect", own, token=token).status == 403
    assert browser.post("/connect", {"sec-fetch-site": ["same-origin"]}, token=token).status == 403
    application = {"sec-fetch-site": ["cross-site"], "origin": ["https://app.invalid"]}
    page = browser.post("/connect", application, token=token)
    assert (page.status, page.location) == (303, f"{BASE}/connect")
    assert browser.get("/connect").status == 200


def test_only_one_of_two_simultaneous_browsers_starts(
    world: ConnectWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, first, second = world.token(), Browser(world), Browser(world)
    table = world.webhook.connect.table
    bind = table.bind

    def after_the_other(*args: Any, **more: Any) -> bool:
        monkeypatch.setattr(table, "bind", bind)
        assert second.start(token).status == 303
        return bind(*args, **more)

    monkeypatch.setattr(table, "bind", after_the_other)

    assert first.start(token).status == 403
    assert first.cookies == {}
    assert second.get("/connect").status == 200
    assert first.get("/connect", t=token).status == 403
    again = second.get("/connect", t=token)
    assert (again.status, again.location) == (303, f"{BASE}/connect")
    assert second.start(token).status == 303


def test_wrong_or_repeated_cookie_is_ignored(world: ConnectWorld) -> None:
    browser, sid = started(world)
    (name,), (value,) = browser.cookies.keys(), browser.cookies.values()
    assert (name, value.partition(".")[0]) == ("__Host-connect", sid)
    for sent in (
        [f"{name}={sid}.{MADE_UP}"],
        [f"{name}={value}; {name}={value}"],
        [f"{name}={value}", f"{name}={value}"],
        [f"connect={value}"],
        [f"{name}={value}.x"],
        [f"{name}={sid}."],
        [f"{name}={sid}.{'é' * 43}"],
        [f"x{name}={value}"],
    ):
        assert browser.get("/connect", {"cookie": sent}).status == 404
        assert browser.get("/connect/return", {"cookie": sent}).title == "You can go back now"
    assert browser.get("/connect", {"cookie": [f"a=b; {name}={value}; c=d"]}).status == 200


@pytest.mark.parametrize(
    ("base", "name", "marks"),
    [
        (BASE, "__Host-connect", ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=2700"]),
        ("http://127.0.0.1:9", "connect", ["Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=2700"]),
    ],
)
def test_cookie_is_bound_to_its_host_and_needs_tls_except_on_loopback(
    base: str, name: str, marks: list[str]
) -> None:
    world = ConnectWorld(public_url=base)

    cookie, *given = Browser(world).start(world.token()).headers["set-cookie"].split("; ")

    assert cookie.startswith(f"{name}=")
    assert given == marks


def test_host_header_is_never_trusted(world: ConnectWorld) -> None:
    asked = {
        "pathParameters": {"user_id": "user_1"},
        "multiValueHeaders": {"Host": ["evil.invalid"], "X-Forwarded-Host": ["evil.invalid"]},
    }
    made = world.ask("POST", "/users/{user_id}/connect-sessions", **asked)
    assert json.loads(made["body"])["connect_url"].startswith(f"{BASE}/")

    asked |= {"requestContext": {"stage": "live"}}
    made = world.ask("POST", "/users/{user_id}/connect-sessions", **asked)
    assert made["statusCode"] == 503
    assert "PublicUrl" in made["body"]


def test_error_page_is_shown_when_the_table_does_not_answer(
    world: ConnectWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, _ = started(world)
    monkeypatch.setattr(world.db, "query", lambda **_: (_ for _ in ()).throw(RuntimeError))

    page = browser.get("/connect")

    assert (page.status, page.title) == (503, "This does not work just now")


def test_every_page_has_a_strict_content_security_policy(world: ConnectWorld) -> None:
    token, browser = world.token(label="<img src=x>"), Browser(world)
    pages = [browser.get("/connect", t=token), browser.start(token), browser.get("/connect")]
    pages += [browser.connect(digest(token), GMAIL), browser.get("/connect/return")]
    pages += [Browser(world).get("/connect"), Browser(world).get("/connect/return")]
    for page in pages:
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert policy.endswith("base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
        assert "unsafe" not in policy
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["cross-origin-opener-policy"] == "same-origin"
        assert "<img" not in page.html
    referrers = [page.headers["referrer-policy"] for page in pages]
    assert referrers == [*["same-origin"] * 3, "no-referrer", *["same-origin"] * 3]
