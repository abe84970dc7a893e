"""The rules of connect sessions."""

import base64
import hashlib
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.connect_rules import (
    TOKEN,
    Attempt,
    AuthConfigState,
    ConnectSession,
    auth_config_states,
    checked_label,
    checked_return_url,
    digest,
    from_application,
    from_own_page,
    most_links,
    read_cookie,
    set_cookie,
)
from handler.urls import origin
from tests.world import GMAIL, SLACK, account

SECRET = "s" * 43
SESSION = ConnectSession(
    "a" * 43, "user_1", ("srv",), "https://api.invalid/live", expires_at=100, ends_at=200
)


def test_token_and_its_digest_have_43_characters() -> None:
    token = secrets.token_urlsafe(32)

    assert TOKEN.fullmatch(token)
    assert TOKEN.fullmatch(digest(token))
    raw = hashlib.sha256(token.encode()).digest()
    assert base64.urlsafe_b64decode(digest(token) + "=") == raw


@pytest.mark.parametrize(
    ("base", "name"),
    [("https://api.invalid", "__Host-connect"), ("http://127.0.0.1:9/live", "connect")],
)
def test_cookie_opens_its_own_session_only(base: str, name: str) -> None:
    session = SESSION._replace(base=base, browser=digest(SECRET))
    given = set_cookie(session, SECRET)
    read = read_cookie({"cookie": ["x=1; " + given.split(";")[0]]})

    assert read
    assert (read.name, read.sid, read.secret) == (name, session.sid, SECRET)
    assert read.opens(session)
    assert not read.opens(session._replace(browser=digest("t" * 43)))
    assert not read.opens(SESSION), "nobody has started it"
    assert set_cookie(session, "").startswith(f"{name}=; Path=/")
    assert set_cookie(session, "").endswith("Max-Age=0")


def test_loopback_cookie_does_not_open_a_session_elsewhere() -> None:
    read = read_cookie({"cookie": [f"connect={SESSION.sid}.{SECRET}"]})

    assert read
    assert not read.opens(SESSION._replace(browser=digest(SECRET)))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cookie": []},
        {"cookie": ["__Host-connect"]},
        {"cookie": ["__Host-connect="]},
        {"cookie": [f"__Host-connect={SESSION.sid}.{SECRET}; __Host-connect=x"]},
        {"cookie": [f"__host-connect={SESSION.sid}.{SECRET}"]},
        {"cookie": [f'__Host-connect="{SESSION.sid}.{SECRET}"']},
    ],
)
def test_malformed_cookie_is_ignored(headers: dict[str, Any]) -> None:
    assert read_cookie(headers) is None


@given(st.lists(st.text(), max_size=3))
def test_any_cookie_header_can_be_read(sent: list[str]) -> None:
    assert read_cookie({"cookie": sent}) is None or sent


def test_own_page_is_recognised_by_sec_fetch_site_or_else_by_origin() -> None:
    base, own = "https://api.invalid/live", "https://api.invalid"

    assert from_own_page({"sec-fetch-site": ["same-origin"], "origin": ["null"]}, base)
    assert not from_own_page({"sec-fetch-site": ["cross-site"], "origin": [own]}, base)
    assert from_own_page({"origin": [own]}, base)
    assert not from_own_page({"origin": [own, own]}, base)
    assert not from_own_page({}, base)


def test_application_is_recognised_by_its_origin() -> None:
    assert from_application({"origin": ["https://app.invalid"]}, "https://app.invalid:443/x?y")
    assert not from_application({"origin": ["https://app.invalid:8443"]}, "https://app.invalid/")
    assert not from_application({"sec-fetch-site": ["same-origin"]}, "https://app.invalid/")


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("https://APP.invalid:443/a?b", "https://app.invalid"),
        ("http://localhost:80/", "http://localhost"),
        ("http://localhost:3000/", "http://localhost:3000"),
        ("http://[::1]:9/", "http://[::1]:9"),
    ],
)
def test_origin_is_written_as_browsers_write_it(url: str, named: str) -> None:
    assert origin(url) == named


def test_return_url_is_kept_unchanged() -> None:
    url = "https://APP.invalid/done?state=a%20b&x="

    assert checked_return_url(url, "https://app.invalid/other") == url


def test_label_is_normalised_and_trimmed() -> None:
    assert checked_label("  Ada Lovele\u0301 ") == "Ada Lovel\u00e9"
    assert checked_label("👩\u200d🚀 & <b>") == "👩\u200d🚀 & <b>"


@pytest.mark.parametrize("label", ["a\u0000", "a\u2066b", "\u200eb", "a\u2028b", "a\ud800", "a\tb"])
def test_label_with_control_characters_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="control"):
        checked_label(label)


def test_link_is_reused_until_shortly_before_it_expires() -> None:
    attempt = Attempt("c", 0, "ca_1", "https://connect.invalid", until=1000)

    assert attempt.usable(939)
    assert not attempt.usable(940)
    assert attempt.open(999)
    assert not attempt.open(1000)
    assert not Attempt("c", 30).open(0)
    assert not Attempt("c", 30).usable(0)
    assert SESSION._replace(attempts={GMAIL: attempt}).attempted(999)
    assert not SESSION.attempted(0)


def test_session_has_a_limit_of_calls_and_links() -> None:
    assert not SESSION._replace(calls=99).spent
    assert SESSION._replace(calls=100).spent
    assert [most_links(number) for number in (1, 2, 10)] == [6, 8, 24]


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ([], AuthConfigState.NEW),
        (["INITIALIZING"], AuthConfigState.NEW),
        (["INITIATED"], AuthConfigState.NEW),
        (["EXPIRED"], AuthConfigState.ENDED),
        (["FAILED", "INITIATED"], AuthConfigState.ENDED),
        (["EXPIRED", "ACTIVE"], AuthConfigState.CONNECTED),
        (["ACTIVE", "REVOKED"], AuthConfigState.CONNECTED),
    ],
)
def test_state_of_an_auth_config_follows_from_its_accounts(
    statuses: list[str], state: AuthConfigState
) -> None:
    accounts = [
        account(GMAIL, id=f"ca_{number}", status=status) for number, status in enumerate(statuses)
    ]

    assert auth_config_states([GMAIL], [*accounts, account(SLACK)]) == {GMAIL: state}
