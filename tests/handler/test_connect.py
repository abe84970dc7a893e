"""Connect sessions, from the application's request to the return of its user."""

import httpx
import pytest

from handler.connect_rules import digest
from tests.doubles import refusal
from tests.handler.connect_world import (
    BASE,
    RETURN_URL,
    Browser,
    ConnectWorld,
    Page,
    connected,
    consented,
    started,
)
from tests.world import GMAIL, SERVER, SLACK, account, refuse_writes


@pytest.fixture
def world() -> ConnectWorld:
    return ConnectWorld()


def test_user_connects_every_account_and_returns_to_the_application(
    world: ConnectWorld,
) -> None:
    made = world.session(label="ada@app.invalid", return_url=f"{RETURN_URL}?state=s%201")
    assert made["statusCode"] == 201
    assert made["body"]["expires_at"] == "2026-01-01T00:30:00Z"
    url = made["body"]["connect_url"]
    assert url.startswith(f"{BASE}/connect?t=")
    token, browser = url.removeprefix(f"{BASE}/connect?t="), Browser(world)

    start = browser.get("/connect", t=token)
    assert (start.status, start.title) == (200, "Connect your accounts")
    assert "<bdi>ada@app.invalid</bdi>" in start.html
    assert start.rows == {"Gmail": "", "Slack": ""}
    assert browser.start(token).location == f"{BASE}/connect"
    assert browser.get("/connect").rows == {"Gmail": "Connect", "Slack": "Connect"}

    leaving = browser.connect(digest(token), GMAIL)
    assert (leaving.status, leaving.location) == (200, "https://connect.invalid/link/ln_1")
    assert world.upstream.links[0]["callback_url"] == f"{BASE}/connect/return"
    world.upstream.consent("ca_made_1")
    back = browser.get("/connect/return", status="success", connected_account_id="ca_made_1")
    assert (back.status, back.location) == (303, f"{BASE}/connect")
    assert browser.get("/connect").rows == {"Gmail": "Connected", "Slack": "Connect"}

    end = connected(browser, digest(token), SLACK)
    assert end.status == 303
    assert end.location == f"{RETURN_URL}?state=s%201&status=ready&connected_account_id=ca_made_2"
    assert browser.cookies == {}
    assert world.row()["status"] == "ready"
    assert world.upstream.creates == 1


def test_session_without_return_url_ends_on_a_page_that_can_be_reloaded() -> None:
    world = ConnectWorld(return_url="")
    browser, sid = started(world)

    assert connected(browser, sid, GMAIL, SLACK).location == f"{BASE}/connect"
    for _ in range(2):
        assert browser.get("/connect").title == "You are all set"


def test_user_who_has_every_account_returns_at_once(world: ConnectWorld) -> None:
    for auth_config in (GMAIL, SLACK):
        world.see(account(auth_config))
    browser, _ = started(world)

    assert browser.get("/connect").location == f"{RETURN_URL}?status=ready"
    assert world.upstream.links == []


def test_browser_creates_an_instance_that_no_event_has_created(world: ConnectWorld) -> None:
    world.see(account(GMAIL))
    fact = account(SLACK).seen(world.now, read=True)
    world.account_table.record(fact)
    browser, _ = started(world)

    assert browser.get("/connect").location == f"{RETURN_URL}?status=ready"


@pytest.mark.parametrize(
    ("status", "word", "title"),
    [(503, "waiting", "Almost there"), (422, "failed", "Connected, but not ready")],
)
def test_user_and_application_are_told_that_the_user_is_not_ready(
    status: int, word: str, title: str
) -> None:
    def everything_connected(world: ConnectWorld) -> tuple[Browser, Page]:
        world.upstream.script.extend([refusal(status, "no")] * 2)
        browser, sid = started(world)
        return browser, connected(browser, sid, GMAIL, SLACK)

    _, end = everything_connected(ConnectWorld())
    browser, _ = everything_connected(ConnectWorld(return_url=""))

    assert end.location == f"{RETURN_URL}?status={word}&connected_account_id=ca_made_2"
    assert browser.get("/connect").title == title


def test_instance_is_created_after_an_outage(world: ConnectWorld) -> None:
    world.upstream.script.append(refusal(503, "down"))
    browser, sid = started(world)
    connected(browser, sid, GMAIL, SLACK)
    assert world.row()["status"] == "retrying"

    world.now += 16
    world.tick()

    assert world.row()["status"] == "ready"


def test_user_who_closes_the_tab_after_the_last_consent_is_ready_in_twenty_seconds(
    world: ConnectWorld,
) -> None:
    consented(world)

    world.later(20)

    assert world.row()["status"] == "ready"
    assert sorted(at for at, _ in world.sqs.delayed) == [20, 20, 60, 60, 140, 140, 280, 280]


def test_watch_stops_asking_once_the_account_is_active(world: ConnectWorld) -> None:
    browser, sid = started(world)
    connected(browser, sid, GMAIL)
    world.trips()

    world.later(300)

    assert world.upstream.requests == []


def test_application_can_ask_for_the_accounts_of_one_server() -> None:
    world = ConnectWorld({SERVER: [GMAIL, SLACK], "srv_mail": [GMAIL]})
    browser, sid = started(world, server_id="srv_mail")

    assert browser.get("/connect").rows == {"Gmail": "Connect"}
    assert connected(browser, sid, GMAIL).location.startswith(f"{RETURN_URL}?status=ready")


def test_server_that_was_deleted_is_not_ready() -> None:
    servers = {SERVER: [GMAIL, SLACK], "srv_mail": [GMAIL]}
    world = ConnectWorld(servers, enrolled=None, return_url="")
    browser, sid = started(world)
    del world.upstream.servers["srv_mail"]
    for _ in range(2):
        world.now += 301
        world.catalog.sync(deadline=world.now + 20)
    connected(browser, sid, GMAIL, SLACK)

    assert world.row()["status"] == "ready"
    assert browser.get("/connect").title == "Almost there"


def test_browser_does_not_wait_for_many_instances() -> None:
    servers = {f"srv_{number:02}": [GMAIL] for number in range(20)}
    world = ConnectWorld(servers, return_url="")
    browser, _ = started(world)
    world.account_table.record(account(GMAIL).seen(world.now, read=True))

    def slow(request: httpx.Request) -> httpx.Response:
        world.now += 1
        server_id = request.url.path.split("/")[5]
        return httpx.Response(201, json=world.upstream.record(server_id, "user_1"))

    world.upstream.script.extend([slow] * 20)
    began = world.now
    assert browser.get("/connect").title == "Almost there"

    assert world.now - began < 8
    for _ in range(6):
        world.now += 120
        world.tick()
    assert browser.get("/connect").title == "You are all set"


@pytest.mark.parametrize(("bad", "good"), [("ca_made_1", "ca_made_2"), ("ca_made_2", "ca_made_1")])
def test_account_that_cannot_be_stored_does_not_stop_another(
    world: ConnectWorld, bad: str, good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, sid = started(world)
    for auth_config, made in ((GMAIL, "ca_made_1"), (SLACK, "ca_made_2")):
        browser.connect(sid, auth_config)
        world.upstream.consent(made)
    refuse_writes(world, monkeypatch, bad)
    browser.get("/connect/return", status="success", connected_account_id=good)

    facts, _ = world.target_table.user("user_1")
    assert [one.id for one in facts.accounts] == [good]


@pytest.mark.parametrize("status", ["FAILED", "EXPIRED", "REVOKED"])
def test_account_that_ended_can_be_connected_again(world: ConnectWorld, status: str) -> None:
    browser, sid = started(world)
    browser.connect(sid, GMAIL)
    world.upstream.consent("ca_made_1", status)
    browser.get("/connect/return", status="failed", connected_account_id="ca_made_1")

    page = browser.get("/connect")
    assert page.rows["Gmail"].split()[0] == "Reconnect"
    assert "The last attempt failed" in page.rows["Gmail"]
    again = browser.connect(sid, GMAIL)
    assert again.location == "https://connect.invalid/link/ln_2"


def test_disabled_account_has_to_be_reconnected(world: ConnectWorld) -> None:
    world.see(account(GMAIL)._replace(is_disabled=True))
    browser, _ = started(world)

    assert browser.get("/connect").rows["Gmail"].startswith("Reconnect")


def test_consent_that_composio_shows_late_is_waited_for(world: ConnectWorld) -> None:
    browser, sid = started(world)
    browser.connect(sid, GMAIL)
    world.upstream.accounts["ca_made_1"]["status"] = "INITIATED"
    sleep = world.sleep

    def consent_meanwhile(seconds: float) -> None:
        sleep(seconds)
        world.upstream.consent("ca_made_1")

    world.webhook.connect.links.sleep = consent_meanwhile
    browser.get("/connect/return", connected_account_id="ca_made_1")

    assert browser.get("/connect").rows["Gmail"] == "Connected"
