"""Returns from a consent that prove nothing, and where the browser may go on to."""

import pytest

from handler.connect_rules import MOST_CALLS
from tests.doubles import Log
from tests.handler.connect_world import (
    RETURN_URL,
    Browser,
    ConnectWorld,
    connected,
    consented,
    started,
)
from tests.world import GMAIL, SLACK, account, as_composio_has_it


@pytest.fixture
def world() -> ConnectWorld:
    return ConnectWorld()


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
    consented(world)
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


def test_instance_that_an_event_is_creating_now_is_waited_for(world: ConnectWorld) -> None:
    browser = consented(world)
    world.upstream.script.append(lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        world.later(20)
    assert world.row()["status"] == "creating"
    world.webhook.connect.progress.sleep = lambda _: world.tick() if world.now else None
    world.now += 41

    back = browser.get("/connect/return", connected_account_id="ca_made_2")

    assert back.location.startswith(f"{RETURN_URL}?status=ready")
