"""What a user sees, in a real browser: the consent, the way back, and what the page says."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from handler import page as pages
from tests.deployed.application import GMAIL, SLACK, Deployed, someone
from tests.deployed.browser import (
    INSTALL_SECONDS,
    PATIENCE_MS,
    PICTURES,
    SCHEMES,
    Scheme,
    context_of,
)

pytestmark = pytest.mark.timeout(2 * INSTALL_SECONDS)

KINDS = {
    "ready": pages.ready(),
    "waiting": pages.waiting(["gmail"], ["slack", "a-toolkit-with-a-very-long-name" * 3]),
    "pending": pages.pending(),
    "failed": pages.failed(),
    "stuck": pages.stuck(),
    "invalid": pages.invalid(),
}


@contextlib.contextmanager
def opened(browser: Browser, **more: Any) -> Iterator[BrowserContext]:
    """Open a window of a size that fits into a README, and expect no message in its console."""
    said: list[str] = []
    with context_of(browser, 640, 440, **more) as context:
        context.on("console", lambda message: said.append(message.text))
        yield context
        assert said == []


def begin(deployed: Deployed, user_id: str, auth_config_id: str) -> str:
    """Return a link of Composio's that leads back to the callback."""
    callback_url = deployed.stack.callback_url
    body = {"user_id": user_id, "auth_config_id": auth_config_id, "callback_url": callback_url}
    url = f"{deployed.composio.url}/api/v3/connected_accounts/link"
    answer = httpx.post(url, json=body, headers={"x-api-key": deployed.api_key}, trust_env=False)
    return str(answer.raise_for_status().json()["redirect_url"])


def consent(context: BrowserContext, deployed: Deployed, user_id: str, auth_config: str) -> Page:
    """Consent in a tab of its own, which then shows the callback's page."""
    tab = context.new_page()
    tab.goto(begin(deployed, user_id, auth_config))
    tab.get_by_role("button", name="Allow").click()
    expect(tab).to_have_url(re.compile("^" + re.escape(deployed.stack.callback_url)))
    return tab


def heading(tab: Page) -> Locator:
    return tab.get_by_role("heading", level=1)


@pytest.mark.parametrize("script", [False, True], ids=["without-javascript", "with-javascript"])
def test_user_who_consents_twice_in_a_browser_is_ready_without_any_event(
    deployed: Deployed, browser: Browser, script: bool
) -> None:
    user, events = someone("browser"), len(deployed.composio.deliveries())
    with opened(browser, java_script_enabled=script) as context:
        first = consent(context, deployed, user, GMAIL)
        expect(heading(first)).to_have_text("Connected. Something is still missing")
        expect(first.get_by_role("listitem")).to_have_text(["gmailConnected", "slackStill missing"])

        second = consent(context, deployed, user, SLACK)
        expect(heading(second)).to_have_text("You are all set")
        # The first tab reloads by itself.
        expect(heading(first)).to_have_text("You are all set", timeout=PATIENCE_MS)
    assert deployed.posts(user)["created"] == 1
    assert deployed.record(user)["instance_id"] == user
    assert len(deployed.composio.deliveries()) == events


def test_user_who_denies_is_told_so(deployed: Deployed, browser: Browser) -> None:
    with opened(browser, java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(begin(deployed, someone("browser"), GMAIL))
        tab.get_by_role("button", name="Deny").click()
        expect(heading(tab)).to_have_text("It was not connected")


def show(context: BrowserContext, content: str) -> Page:
    """Show a page with the headers that it has on AWS, so that its policy is in force."""

    def answer(route: Route) -> None:
        html = {"content-type": "text/html; charset=utf-8"}
        route.fulfill(body=content, headers=dict(pages.HEADERS) | html)

    context.route("**/*", answer)
    tab = context.new_page()
    tab.goto("http://127.0.0.1/")
    return tab


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", KINDS)
def test_page_of_each_kind_is_accessible(browser: Browser, kind: str, scheme: Scheme) -> None:
    with opened(browser, color_scheme=scheme) as context:
        tab = show(context, KINDS[kind])
        found = Axe().run(tab)
        assert found.violations_count == 0, found.generate_report()
        paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == {"light": "rgb(244, 245, 247)", "dark": "rgb(16, 18, 20)"}[scheme]


def test_page_shows_the_focus_of_the_keyboard_and_fits_a_narrow_phone(browser: Browser) -> None:
    with opened(browser) as context:
        tab = show(context, KINDS["pending"])
        tab.keyboard.press("Tab")
        link = tab.get_by_role("link", name="Look again now")
        expect(link).to_be_focused()
        assert link.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"

        tab.set_content(KINDS["waiting"])
        tab.set_viewport_size({"width": 320, "height": 640})
        assert tab.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("kind", "content"),
    [("waiting", pages.waiting(["gmail"], ["slack"])), ("ready", pages.ready())],
)
def test_picture_for_the_readme_is_small(
    browser: Browser, kind: str, content: str, scheme: Scheme, tmp_path: Path
) -> None:
    folder = Path(PICTURES) if PICTURES else tmp_path
    with opened(browser, color_scheme=scheme, device_scale_factor=2) as context:
        picture = show(context, content).screenshot(path=folder / f"page-{kind}-{scheme}.png")
    assert len(picture) < 60_000
