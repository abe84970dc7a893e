"""Hostile and unlucky cases of connect sessions."""

import json
from itertools import pairwise
from typing import Any

import httpx
import pytest

from handler.connect_rules import MOST_CALLS, digest, most_links
from tests.doubles import Log
from tests.handler.connect_world import (
    BASE,
    RETURN_URL,
    Browser,
    ConnectWorld,
    connected,
    started,
)
from tests.world import GMAIL, SLACK, account, as_composio_has_it, refusal

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


def test_click_without_a_cookie_makes_no_call(world: ConnectWorld) -> None:
    _, sid = started(world)
    world.trips()

    assert Browser(world).connect(sid, GMAIL).status == 404
    assert world.upstream.requests == []


def test_twenty_clicks_in_two_tabs_make_one_link(world: ConnectWorld) -> None:
    browser, sid = started(world)

    locations = {browser.connect(sid, GMAIL).location for _ in range(20)}

    assert locations == {"https://connect.invalid/link/ln_1"}
    assert len(world.upstream.links) == 1


def test_clicks_at_the_same_time_make_one_link(world: ConnectWorld) -> None:
    browser, sid = started(world)
    others: list[str] = []

    def click_again() -> None:
        # The first click holds the claim while Composio makes its link.
        others.append(browser.connect(sid, GMAIL).title)

    world.upstream.before_link = [click_again]

    assert browser.connect(sid, GMAIL).location == "https://connect.invalid/link/ln_1"
    assert others == ["Almost there"]
    assert len(world.upstream.links) == 1


def test_click_that_waits_for_another_gets_its_link(
    world: ConnectWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, sid = started(world)
    links = world.webhook.connect.links
    session = links.table.read(sid)
    assert session
    held, attempt = links.table.claim(session, GMAIL, token="another", now=int(world.now))
    made = attempt._replace(
        free_at=0, account="ca_x", url="https://connect.invalid/x", until=int(world.now) + 600
    )
    monkeypatch.setattr(links, "sleep", lambda _: links.table.keep_link(held, GMAIL, made))

    assert browser.connect(sid, GMAIL).location == "https://connect.invalid/x"
    assert world.upstream.links == []


def test_old_tab_is_refused_after_another_session_started(world: ConnectWorld) -> None:
    browser, old = started(world)
    assert browser.start(world.token("user_2")).status == 303
    world.trips()

    page = browser.connect(old, GMAIL)

    assert (page.status, page.title) == (409, "You have started again elsewhere")
    assert world.upstream.requests == []


@pytest.mark.parametrize("auth_config", ["ac_other", "", "link#ac_gmail", "ac_gmail,ac_slack"])
def test_account_that_no_server_requires_is_refused(world: ConnectWorld, auth_config: str) -> None:
    browser, sid = started(world)
    world.trips()

    assert browser.connect(sid, auth_config).status == 400
    assert (world.upstream.requests, world.writes()) == ([], [])


def test_account_that_has_become_active_needs_no_link(world: ConnectWorld) -> None:
    browser, sid = started(world)
    fact = account(GMAIL)
    world.upstream.accounts[fact.id] = as_composio_has_it(fact)

    page = browser.connect(sid, GMAIL)

    assert (page.status, page.location) == (303, f"{BASE}/connect")
    assert world.upstream.links == []
    assert browser.get("/connect").rows["Gmail"] == "Connected"


def test_link_that_could_not_be_stored_is_replaced_after_thirty_seconds(
    world: ConnectWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = world.token()
    browser = Browser(world)
    browser.start(token)
    sid, table = digest(token), world.webhook.connect.table
    with monkeypatch.context() as killed:
        killed.setattr(table, "keep_link", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            browser.connect(sid, GMAIL)

    assert browser.connect(sid, GMAIL).title == "Almost there"
    world.now += 30
    assert browser.connect(sid, GMAIL).location == "https://connect.invalid/link/ln_2"
    assert world.stored(token)["links"] == len(world.upstream.links) == 2
    # The account of the first link is found, too.
    world.upstream.consent("ca_made_1")
    world.later(20)
    assert world.target_table.user("user_1")[0].active == {GMAIL}


def test_click_after_a_lost_answer_waits_thirty_seconds(
    world: ConnectWorld,
) -> None:
    browser, sid = started(world)
    world.upstream.before_link = [httpx.ReadTimeout("slow")]

    assert browser.connect(sid, GMAIL).status == 503
    assert browser.connect(sid, GMAIL).title == "Almost there"
    world.now += 30
    assert browser.connect(sid, GMAIL).status == 200


def test_click_after_a_refusal_by_composio_is_allowed_at_once(
    world: ConnectWorld, log: Log
) -> None:
    browser, sid = started(world)
    world.upstream.before_link = [refusal(500, "cannot connect user_1")]

    page = browser.connect(sid, GMAIL)
    assert (page.status, page.headers["retry-after"]) == (503, "30")
    assert "user_1" not in page.html + log.text
    assert browser.connect(sid, GMAIL).status == 200


def test_click_after_a_failed_lookup_is_allowed_at_once(
    world: ConnectWorld,
) -> None:
    browser, sid = started(world)
    world.upstream.down = True
    assert browser.connect(sid, GMAIL).status == 503
    world.upstream.down = False

    assert browser.connect(sid, GMAIL).status == 200


def test_no_link_is_shown_when_its_watch_cannot_be_queued(
    world: ConnectWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, sid = started(world)
    with monkeypatch.context() as broken:
        broken.setattr(world.sqs, "send_message_batch", lambda **_: {"Failed": [{}]})
        assert browser.connect(sid, GMAIL).status == 503

    world.now += 30
    assert browser.connect(sid, GMAIL).status == 200


def test_link_that_the_list_does_not_show_yet_is_not_made_twice(world: ConnectWorld) -> None:
    browser, sid = started(world)
    browser.connect(sid, GMAIL)
    world.upstream.unlisted = {"ca_made_1"}

    assert browser.connect(sid, GMAIL).location == "https://connect.invalid/link/ln_1"
    assert len(world.upstream.links) == 1


def test_link_that_expires_soon_is_replaced(world: ConnectWorld) -> None:
    browser, sid = started(world)
    browser.connect(sid, GMAIL)
    world.now += 541

    assert browser.connect(sid, GMAIL).location == "https://connect.invalid/link/ln_2"


@pytest.mark.parametrize("clicks", [110, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("denies", [True, False])
def test_clicks_stay_within_the_budget(world: ConnectWorld, clicks: int, denies: bool) -> None:
    token, browser = world.token(), Browser(world)
    browser.start(token)
    world.upstream.requests.clear()
    statuses = []
    for number in range(clicks):
        page = browser.connect(digest(token), (GMAIL, SLACK)[number % 2])
        statuses.append(page.status)
        if denies and page.status == 200:
            world.upstream.consent(str(world.upstream.links[-1]["connected_account_id"]), "FAILED")

    assert len(world.upstream.links) <= most_links(2) == 8
    assert len(world.upstream.requests) <= MOST_CALLS == world.stored(token)["calls"]
    assert statuses[-1] == 429
    assert [one for one, after in pairwise(statuses) if (one, after) == (429, 200)] == []


def test_returns_stay_within_the_budget_and_the_list_is_still_shown(world: ConnectWorld) -> None:
    browser, sid = started(world)
    browser.connect(sid, GMAIL)
    world.upstream.requests.clear()
    for _ in range(MOST_CALLS + 1):
        assert browser.get("/connect/return").status == 303

    assert len(world.upstream.requests) < MOST_CALLS
    assert browser.get("/connect").status == 200


def test_return_without_a_cookie_makes_no_call_and_the_watch_makes_it_ready(
    world: ConnectWorld,
) -> None:
    browser, sid = started(world)
    connected(browser, sid, GMAIL)
    browser.connect(sid, SLACK)
    world.upstream.consent("ca_made_2")
    world.trips()

    page = Browser(world).get("/connect/return", connected_account_id="ca_made_2")

    assert (page.status, page.title) == (200, "You can go back now")
    assert world.trips() == ([], 0)
    world.later(20)
    assert world.row()["status"] == "ready"


def test_account_of_somebody_else_is_ignored_on_return(world: ConnectWorld) -> None:
    theirs = account(SLACK, user="mallory")
    world.upstream.accounts[theirs.id] = as_composio_has_it(theirs)
    browser, sid = started(world)
    browser.connect(sid, SLACK)

    browser.get("/connect/return", status="success", connected_account_id=theirs.id)

    assert browser.get("/connect").rows["Slack"] == "Connect"
    assert world.target_table.user("mallory")[0].accounts == ()
    connected(browser, sid, GMAIL)
    world.upstream.consent("ca_made_1")
    end = browser.get("/connect/return", connected_account_id=theirs.id)
    assert end.location == f"{RETURN_URL}?status=ready"


def test_account_that_composio_assigns_to_another_user_is_ignored(world: ConnectWorld) -> None:
    browser, sid = started(world)
    browser.connect(sid, GMAIL)
    world.upstream.accounts["ca_made_1"]["user_id"] = "mallory"
    world.upstream.consent("ca_made_1")

    browser.get("/connect/return", connected_account_id="ca_made_1")

    assert world.target_table.user("user_1")[0].accounts == ()
    assert world.target_table.user("mallory")[0].accounts == ()


def test_error_of_the_query_is_neither_shown_nor_logged(world: ConnectWorld, log: Log) -> None:
    error = "<script>" + "x" * 8192
    browser, sid = started(world)
    browser.connect(sid, GMAIL)

    page = browser.get("/connect/return", status="failed", error=error)
    listed = browser.get("/connect", error=error)

    assert "<script>" not in page.html + listed.html
    assert "xxxx" not in page.html + listed.html + log.text
    assert Browser(world).get("/connect/return", error=error).html.find("xxxx") == -1


@pytest.mark.parametrize(
    "return_url",
    [
        "https://app.invalid:8443/done",
        "http://app.invalid/done",
        "https://app.invalid\\@evil.invalid/",
        "https://user@app.invalid/done",
        "//app.invalid/done",
        "javascript:alert(1)",
        "https://app.invalid.evil.invalid/",
        "https://evil.invalid/?https://app.invalid",
        f"{RETURN_URL}?status=ready",
        f"{RETURN_URL}?%73tatus=ready",
        f"{RETURN_URL}?connected_account_id=ca_1",
        f"{RETURN_URL}#fragment",
        f"{RETURN_URL}?a=<b>",
        f"{RETURN_URL}?a=b c",
        f"{RETURN_URL}?a=\u00e9",
        f"{RETURN_URL}?a=\r\nset-cookie: a=b",
        f"{RETURN_URL}?a={'b' * 2048}",
        "https://[",
    ],
)
def test_return_url_of_another_origin_is_refused(world: ConnectWorld, return_url: str) -> None:
    answer = world.session(return_url=return_url)

    assert answer["statusCode"] == 400
    assert answer["body"]["error"]["message"].startswith("return_url: ")
    assert "evil" not in answer["body"]["error"]["message"]
    assert world.writes() == []


@pytest.mark.parametrize("return_url", [f"{RETURN_URL}?a=b&c", "https://APP.invalid:443/x?state=1"])
def test_return_url_of_the_same_origin_is_accepted(world: ConnectWorld, return_url: str) -> None:
    assert world.session(return_url=return_url)["statusCode"] == 201


def test_return_url_without_the_parameter_is_refused() -> None:
    world = ConnectWorld(return_url="")

    assert world.session(return_url=RETURN_URL)["statusCode"] == 400


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
