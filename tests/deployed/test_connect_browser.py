"""A user connects everything by clicking, in a real browser, and is back at the application."""

import re
import time
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Page, expect

from handler.connect_page import AccountLine, Pages
from handler.connect_rules import AuthConfigState
from handler.connect_texts import Notice
from tests.deployed.application import someone, until
from tests.deployed.browser import INSTALL_SECONDS, PICTURES, SCHEMES, Scheme, context_of
from tests.deployed.conftest import Infrastructure, deployed_to
from tests.deployed.finishing import Finishing

pytestmark = pytest.mark.timeout(2 * INSTALL_SECONDS)

SHEET = "body { background: #f4f5f7; columns: 3 } img { margin: 8px 0 }"


class Application(BaseHTTPRequestHandler):
    """The page of the application to which the user returns."""

    def do_GET(self) -> None:
        """Show it."""
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>done</title><h1>Back</h1>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def return_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Application) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/done"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def stack(infrastructure: Infrastructure, return_url: str) -> Iterator[Finishing]:
    with deployed_to(infrastructure, "connect", ReturnUrl=return_url, BrandName="Example") as stack:
        yield stack


@pytest.fixture(autouse=True)
def _unverified(stack: Finishing) -> Iterator[None]:
    yield
    stack.composio.set_options(verifier_url=None)


def opened(browser: Browser, **more: Any) -> BrowserContext:
    return context_of(browser, 480, 620, **more)


(SAMPLE,) = re.findall(r"```python\n(.*?)```", Path("docs/integrate.md").read_text(), re.DOTALL)


def connect_url(stack: Finishing, user_id: str, **body: str) -> str:
    """Create a connect session with the sample of docs/integrate.md."""
    sample: dict[str, Any] = {}
    exec(SAMPLE, sample)  # noqa: S102 - our own document
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": stack.stack.region,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return str(sample["connect_url"](stack.stack.api_url, user_id, **body))


def allow(tab: Page, toolkit: str, answer: str = "Allow") -> None:
    """Click Connect in the list, and answer at Composio."""
    tab.get_by_role("button", name=re.compile(f"onnect {toolkit}$")).click()
    tab.get_by_role("button", name=answer).click()


@pytest.mark.parametrize("verified", [False, True], ids=["", "verified"])
@pytest.mark.parametrize("script", [True, False], ids=["", "without-javascript"])
def test_user_connects_both_toolkits_by_clicking_and_is_back_at_the_application(
    stack: Finishing, browser: Browser, return_url: str, script: bool, verified: bool
) -> None:
    if verified:
        stack.composio.set_options(verifier_url=f"{stack.stack.api_url}/connect/verify")
    user = someone("clicks")
    begin = connect_url(stack, user, label=user, return_url=f"{return_url}?state=s%201")
    with opened(browser, java_script_enabled=script) as context:
        tab = context.new_page()
        tab.goto(begin)
        expect(tab.get_by_text(f"They will be connected for {user}.")).to_be_visible()
        tab.get_by_role("button", name="Continue").click()
        expect(tab.get_by_text("0 of 2 connected.")).to_be_visible()
        allow(tab, "Gmail")
        expect(tab.get_by_text("1 of 2 connected.")).to_be_visible()
        allow(tab, "Slack")
        expect(tab).to_have_url(re.compile("^" + re.escape(return_url)))
        query = parse_qs(urlsplit(tab.url).query)
    assert (query["state"], query["status"]) == (["s 1"], ["ready"])
    assert verified or query["connected_account_id"][0].startswith("ca_")
    assert stack.posts(user)["created"] == 1
    assert stack.record(user)["instance_id"] == user


def test_instance_is_ready_though_the_tab_is_closed_at_the_last_consent(
    stack: Finishing, browser: Browser, figures: list[str]
) -> None:
    user = someone("closes")
    begin = connect_url(stack, user)
    with opened(browser) as context:
        tab = context.new_page()
        tab.goto(begin)
        tab.get_by_role("button", name="Continue").click()
        allow(tab, "Gmail")
        expect(tab.get_by_text("1 of 2 connected.")).to_be_visible()
        tab.get_by_role("button", name="Connect Slack").click()
        expect(tab.get_by_role("button", name="Allow")).to_be_visible()
        # The consent reaches Composio, but no browser follows its answer.
        consent = httpx.post(tab.url, data={"decision": "allow"}, trust_env=False, timeout=60)
        assert "/connect/return?" in consent.headers["location"]
        consented = time.monotonic()
    assert stack.posts(user)["posts"] == 0
    until(lambda: stack.posts(user)["created"], "the watch finds it")
    # How long the watch waits, tests/handler/test_connect.py asserts by a clock of its own.
    waited = time.monotonic() - consented
    figures.append(f"tab closed at the last consent, no event: ready after {waited:.0f} s")


def test_account_that_is_denied_can_be_connected_again_and_back_returns_to_the_list(
    stack: Finishing, browser: Browser
) -> None:
    with opened(browser) as context:
        tab = context.new_page()
        tab.goto(connect_url(stack, someone("denies")))
        tab.get_by_role("button", name="Continue").click()
        allow(tab, "Gmail", "Deny")
        expect(tab.get_by_role("button", name="Reconnect Gmail")).to_be_visible()
        tab.get_by_role("button", name="Connect Slack").click()
        expect(tab.get_by_role("button", name="Allow")).to_be_visible()
        tab.go_back()
        expect(tab.get_by_text("0 of 2 connected.")).to_be_visible()


def test_link_that_another_browser_has_opened_is_refused(
    stack: Finishing, browser: Browser
) -> None:
    begin = connect_url(stack, someone("forwards"))
    with opened(browser) as first, opened(browser) as second:
        tab = first.new_page()
        tab.goto(begin)
        tab.get_by_role("button", name="Continue").click()
        expect(tab.get_by_text("0 of 2 connected.")).to_be_visible()
        other = second.new_page()
        other.goto(begin)
        expect(other.get_by_role("heading", level=1)).to_have_text(
            "This link was opened in another browser"
        )
        tab.goto(begin)
        expect(tab.get_by_text("0 of 2 connected.")).to_be_visible()


def states() -> Iterator[str]:
    """Yield the page of each state, in the order in which a user may see them."""
    pages, url = Pages("Example"), "https://app.example/"
    yield pages.start("", "", "ada@example.com", ["gmail", "slack"])
    states = {
        "gmail": AuthConfigState.CONNECTED,
        "slack": AuthConfigState.NEW,
        "notion": AuthConfigState.ENDED,
    }
    yield pages.listing("", "", (AccountLine(name, name, state) for name, state in states.items()))
    yield pages.leaving(url, "slack").replace("refresh", "")  # so that it stays
    yield pages.busy(url)
    yield pages.ready()
    notices = [one for one in pages.texts if isinstance(one, Notice)]
    for notice in notices[notices.index(pages.texts.failed) :]:
        yield pages.notice(notice)


def test_page_of_each_state_is_accessible_and_has_its_picture(
    browser: Browser, tmp_path: Path
) -> None:
    images = []
    with opened(browser) as context:
        tab = context.new_page()
        tab.set_viewport_size({"width": 360, "height": 640})
        for state in states():
            tab.set_content(state)
            found = Axe().run(tab)
            assert found.violations_count == 0, found.generate_report()
            image = b64encode(tab.locator("main").screenshot()).decode()
            images.append(f"<img src='data:image/png;base64,{image}'>")
        tab.set_viewport_size({"width": 1060, "height": 800})
        tab.set_content(f"<!doctype html><style>{SHEET}</style>{''.join(images)}")
        path = (Path(PICTURES) if PICTURES else tmp_path) / "connect-states.jpg"
        assert len(tab.screenshot(path=path, type="jpeg", quality=50, full_page=True)) < 180_000


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_are_accessible_fit_a_narrow_phone_and_have_their_pictures(
    stack: Finishing, browser: Browser, scheme: Scheme, tmp_path: Path
) -> None:
    folder = Path(PICTURES) if PICTURES else tmp_path
    said: list[str] = []
    with opened(browser, color_scheme=scheme, device_scale_factor=2) as context:
        context.on("console", lambda message: said.append(message.text))
        tab = context.new_page()

        def judged(kind: str) -> None:
            found = Axe().run(tab)
            assert found.violations_count == 0, found.generate_report()
            picture = tab.screenshot(path=folder / f"connect-{kind}-{scheme}.png")
            assert len(picture) < 120_000
            tab.set_viewport_size({"width": 360, "height": 640})
            assert tab.evaluate("document.documentElement.scrollWidth") == 360
            tab.set_viewport_size({"width": 480, "height": 620})

        tab.goto(connect_url(stack, someone("ada"), label="ada@example.com"))
        judged("start")
        tab.keyboard.press("Tab")
        expect(tab.get_by_role("button", name="Continue")).to_be_focused()
        tab.keyboard.press("Enter")
        allow(tab, "Gmail")
        expect(tab.get_by_text("1 of 2 connected.")).to_be_visible()
        judged("list")
    assert said == []
