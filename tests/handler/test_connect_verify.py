"""Callback identity verification: the browser that returns must be the one that started."""

from typing import Any

import httpx
import pytest

from tests.doubles import Counted, Log
from tests.handler.connect_world import BASE, RETURN_URL, Browser, ConnectWorld, connected, started
from tests.world import GMAIL, SLACK


@pytest.fixture
def world() -> ConnectWorld:
    return ConnectWorld()


def begun(world: ConnectWorld) -> tuple[Browser, str, str]:
    """Return a browser whose user has consented, the account, and its session URI."""
    browser, sid = started(world)
    browser.connect(sid, GMAIL)
    account_id = str(world.upstream.links[-1]["connected_account_id"])
    return browser, account_id, world.upstream.verified_by(account_id)


@pytest.mark.parametrize(
    "shape",
    [
        lambda account_id: {"connected_account_id": account_id, "toolkit_slug": "gmail"},
        lambda account_id: {"connected_account": {"id": account_id, "status": "ACTIVE"}},
    ],
)
def test_browser_that_started_completes_the_account(world: ConnectWorld, shape: Any) -> None:
    world.upstream.complete_with = shape
    browser, _, uri = begun(world)

    page = browser.get("/connect/verify", session_uri=uri)

    assert (page.status, page.location) == (303, f"{BASE}/connect")
    assert browser.get("/connect").rows["Gmail"] == "Connected"


def test_user_returns_to_the_application_after_verifying_the_last_account(
    world: ConnectWorld,
) -> None:
    browser, sid = started(world)
    connected(browser, sid, GMAIL)
    browser.connect(sid, SLACK)

    page = browser.get("/connect/verify", session_uri=world.upstream.verified_by("ca_made_2"))

    assert page.location == f"{RETURN_URL}?status=ready"
    assert world.row()["status"] == "ready"


def test_without_a_cookie_there_is_no_call(world: ConnectWorld) -> None:
    _, _, uri = begun(world)

    page = Browser(world).get("/connect/verify", session_uri=uri)

    assert (page.status, page.title) == (200, "You can go back now")
    assert world.upstream.completed == []


def test_without_an_open_attempt_there_is_no_call(world: ConnectWorld) -> None:
    browser, _ = started(world)
    uri = world.upstream.verified_by("ca_x")

    assert browser.get("/connect/verify", session_uri=uri).title == "You can go back now"
    _, _, uri = begun(world)
    world.now += 601
    assert browser.get("/connect/verify", session_uri=uri).title == "You can go back now"
    assert world.upstream.completed == []


@pytest.mark.parametrize("uri", ["", "a b", "x" * 1025, "é"])
def test_invalid_session_uri_makes_no_call(world: ConnectWorld, uri: str) -> None:
    browser, _, _ = begun(world)

    assert browser.get("/connect/verify", session_uri=uri).title == "You can go back now"
    query = {"session_uri": ["session_1", "session_2"]}
    world.ask("GET", "/connect/verify", multiValueQueryStringParameters=query)
    assert world.upstream.completed == []


def test_session_uri_of_another_user_is_refused_after_one_call(
    world: ConnectWorld, counted: Counted, log: Log
) -> None:
    browser, _, _ = begun(world)
    world.upstream.accounts["ca_theirs"] = world.upstream.accounts["ca_made_1"] | {
        "id": "ca_theirs",
        "user_id": "mallory",
    }
    uri = world.upstream.verified_by("ca_theirs", "mallory")

    page = browser.get("/connect/verify", session_uri=uri)
    assert (page.status, page.title) == (400, "The account was not connected")
    assert counted()["ConnectVerificationRefused"] == 1
    again = browser.get("/connect/verify", session_uri=uri)

    assert (again.status, again.location) == (303, f"{BASE}/connect")
    assert world.upstream.completed == [uri]
    assert uri not in log.text
    assert world.target_table.user("mallory")[0].accounts == ()


def test_lost_answer_is_not_retried_and_the_account_is_found(
    world: ConnectWorld,
) -> None:
    browser, _, uri = begun(world)
    world.upstream.complete_with = httpx.ReadTimeout("lost")

    assert browser.get("/connect/verify", session_uri=uri).location == f"{BASE}/connect"
    assert browser.get("/connect").rows["Gmail"] == "Connected"
    browser.get("/connect/verify", session_uri=uri)
    assert world.upstream.completed == [uri]


@pytest.mark.parametrize("status", [400, 404])
def test_error_page_of_a_proxy_is_not_a_refusal(
    world: ConnectWorld, counted: Counted, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    browser, account_id, uri = begun(world)
    proxy = httpx.Response(status, content=b"<html>")
    monkeypatch.setattr(world.upstream, "_complete", lambda _: proxy)

    assert browser.get("/connect/verify", session_uri=uri).location == f"{BASE}/connect"
    assert "ConnectVerificationRefused" not in counted()
    world.upstream.consent(account_id)
    world.later(20)
    assert browser.get("/connect").rows["Gmail"] == "Connected"


def test_account_is_found_later_when_composio_was_down(world: ConnectWorld) -> None:
    browser, account_id, uri = begun(world)
    world.now += 500  # the link's own watch is over
    world.sqs.delayed.clear()
    world.upstream.down = True
    assert browser.get("/connect/verify", session_uri=uri).status == 303
    watches = list(world.sqs.delayed)
    assert browser.get("/connect/verify", session_uri=uri).status == 303
    assert world.sqs.delayed == watches
    world.upstream.down = False
    world.upstream.consent(account_id)

    world.later(20)

    assert world.target_table.user("user_1")[0].active == {GMAIL}


def test_unknown_session_uri_is_an_error_unless_the_account_is_active(
    world: ConnectWorld,
) -> None:
    browser, account_id, _ = begun(world)

    page = browser.get("/connect/verify", session_uri="session_unknown")
    assert (page.status, page.title) == (404, "That took too long")
    world.upstream.consent(account_id)
    page = browser.get("/connect/verify", session_uri="session_used")
    assert (page.status, page.location) == (303, f"{BASE}/connect")


def test_calls_to_verify_are_counted(world: ConnectWorld) -> None:
    browser, _, _ = begun(world)
    world.upstream.requests.clear()
    for number in range(101):
        browser.get("/connect/verify", session_uri=f"session_{number}_x")

    assert len(world.upstream.requests) <= 100
