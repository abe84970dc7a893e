"""The pages of a connect session escape foreign text and need no script."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from handler.connect_page import AccountLine, Pages, shown
from handler.connect_rules import AuthConfigState
from handler.connect_texts import ENGLISH, Notice
from handler.page import stuck

NASTY = "<script>alert('x')</script>\" onload=\"{0}{application}"
BASE = "https://api.invalid/live/connect"
PAGES = Pages()


def every_page(pages: Pages, text: str) -> dict[str, str]:
    accounts = [AccountLine(text, text, state) for state in AuthConfigState]
    made = {
        "start": pages.start(BASE, text, text, [text]),
        "listing": pages.listing(f"{BASE}/link", text, accounts),
        "leaving": pages.leaving(f"https://connect.invalid/{text}", text),
        "pending": pages.pending(),
        "busy": pages.busy(BASE),
        "ready": pages.ready(),
    }
    notices = pages.texts._asdict().items()
    return made | {
        name: pages.notice(one, BASE)
        for name, one in notices
        if isinstance(one, Notice) and name not in made
    }


class Seen(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("content", [stuck(), PAGES.notice(ENGLISH.failed)])
def test_failure_page_says_whom_to_tell(content: str) -> None:
    """Without `AlarmTopicArn` nobody else is notified."""
    said = " ".join(content.split())
    assert "It is tried again by itself. If this stays so, please tell the people who run" in said


@pytest.mark.parametrize("kind", every_page(PAGES, "gmail"))
def test_foreign_text_stays_text(kind: str) -> None:
    pages = Pages(NASTY, 'https://app.invalid/logo.png?a="b', "https://app.invalid/?a=b&c='d")
    plain, nasty = (Seen(every_page(pages, text)[kind]) for text in ("gmail", NASTY))

    assert [tag for tag, _ in nasty.tags] == [tag for tag, _ in plain.tags]
    assert all(set(a) == set(b) for (_, a), (_, b) in zip(nasty.tags, plain.tags, strict=True))
    assert not [name for _, given in nasty.tags for name in given if name.startswith("on")]


@pytest.mark.parametrize("kind", every_page(PAGES, "gmail"))
def test_every_page_is_complete_and_filled_in(kind: str) -> None:
    page = every_page(Pages("Example"), "gmail")[kind]
    seen = Seen(re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL))

    assert page.startswith('<!doctype html><html lang="en">')
    assert [tag for tag, _ in seen.tags].count("h1") == 1
    assert not re.search(r"[{}]", seen.text)
    assert len(page) < 20_000
    hidden = [given for tag, given in seen.tags if tag == "input"]
    assert all(given["type"] == "hidden" for given in hidden)


def test_only_a_page_that_looks_again_by_itself_has_a_script() -> None:
    pages = every_page(PAGES, "gmail")

    assert [kind for kind, page in pages.items() if "<script" in page] == ["pending", "busy"]
    assert "<noscript><meta" in pages["pending"]


def test_policy_allows_the_logo_and_no_other_origin() -> None:
    assert "img-src" not in PAGES.headers["content-security-policy"]
    pages = Pages(logo_url="https://cdn.invalid/a/logo.svg?v=2")
    policy = pages.headers["content-security-policy"]
    assert "; img-src https://cdn.invalid; " in policy
    assert '<img src="https://cdn.invalid/a/logo.svg?v=2" alt="Logo">' in pages.ready()
    named = Pages("Example", "https://cdn.invalid/logo.svg")
    assert 'alt=""' in named.ready()


def test_button_says_what_it_connects() -> None:
    page = PAGES.listing(BASE, "s", [AccountLine("ac_1", "google_drive", AuthConfigState.NEW)])

    assert '<button aria-label="Connect Google drive">Connect</button>' in page
    assert shown("google_drive") == "Google drive"
    assert "0 of 1 connected." in page


def test_another_language_is_another_set_of_texts() -> None:
    filled: dict[str, Any] = {
        name: "…" if isinstance(one, str) else Notice("…", "…")
        for name, one in ENGLISH._asdict().items()
    }
    texts = ENGLISH._replace(**filled)
    for kind, page in every_page(Pages(texts=texts), "gmail").items():
        seen = Seen(re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL))
        words = set(re.findall(r"[A-Za-z]+", seen.text)) - {"Gmail", "gmail"}
        assert words == set(), (kind, words)
