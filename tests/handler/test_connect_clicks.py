"""Clicks on Connect that are repeated, simultaneous, outdated or unlucky."""

from itertools import pairwise

import httpx
import pytest

from handler.connect_rules import MOST_CALLS, digest, most_links
from tests.doubles import Log, refusal
from tests.handler.connect_world import BASE, Browser, ConnectWorld, started
from tests.world import GMAIL, SLACK, account, as_composio_has_it


@pytest.fixture
def world() -> ConnectWorld:
    return ConnectWorld()


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
