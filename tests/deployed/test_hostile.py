"""Hostile requests over real HTTP to the deployed application.

Whatever is sent, there is never a 5xx, nothing is written, and nothing secret is logged.
The emulator (ministack 1.5.33) differs from AWS: it joins repeated headers with a comma, replaces
what is not UTF-8 in a body, and enforces neither API Gateway's limit of 10 MB nor Lambda's of 6 MB.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.deployed.application import GMAIL, Deployed, event, someone, until
from tests.deployed.delivery import signed

MARK = "a-mark-of-the-body"
"""Part of the bodies, and never of the log."""

WHO = {"id": "ca_hostile", "user_id": MARK, "status": "ACTIVE", "status_reason": MARK}
ACCOUNT: dict[str, Any] = WHO | {"auth_config": {"id": GMAIL}, "updated_at": "2026-01-01T00:00:00Z"}
SHORT = [b"", b"null", b'"text"', b"[]", b"{}", b"{", b"-1e9999", b'{"type": 5, "data": {}}']
WRONG: dict[str, tuple[object, ...]] = {
    "id": (5, None, "", "ca/../x", "ca_#", "c" * 129, "ca_\n"),
    "user_id": (5, "", ["a"], "\ud800", "é" * 1024, "u" * 2048),
    "auth_config": ("ac_gmail", [], {}, {"id": {}}, {"id": "ac_gmail/x"}),
    "is_disabled": ("no", 0, {}),
    "updated_at": ("yesterday", {}, [], "0000-00-00T00:00:00Z", 1e300),
}
type Headers = list[tuple[str, bytes]]
type Attack = Callable[[bytes, Headers], httpx.Response]

A_FEW = settings(max_examples=60, derandomize=True, database=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def attack(deployed: Deployed) -> Iterator[Attack]:
    """Return what sends a request; at the end, nothing was written and no secret was logged."""
    before, since = deployed.scan(), time.time()
    secret = {MARK, deployed.api_key, *deployed.secrets}

    def send(body: bytes, headers: Headers) -> httpx.Response:
        said = [value.decode("latin-1") for name, value in headers if name == "webhook-signature"]
        secret.update(value.removeprefix("v1,") for value in said if len(value) > len("v1,") + 9)
        return deployed.post(body, [(name.encode(), value) for name, value in headers])

    yield send
    last = someone("the-end-of-the-attack")
    harmless = event(ACCOUNT, auth_config={"id": "ac_nobody"})
    deployed.post(harmless, signed(harmless, *deployed.secrets, webhook_id=last))
    until(lambda: last in deployed.log(since), "the log")
    log = deployed.log(since)
    assert [one for one in secret if one in log] == []
    assert deployed.scan() == before


def raw(headers: dict[str, str]) -> Headers:
    return [(name, value.encode()) for name, value in headers.items()]


def genuine(deployed: Deployed, body: bytes) -> Headers:
    return raw(signed(body, *deployed.secrets))


def expect_401(response: httpx.Response) -> None:
    assert response.status_code == 401
    assert response.json() == {"error": {"message": "not authentic"}}


def test_a_header_that_is_missing_empty_repeated_or_not_ascii_is_not_authentic(
    deployed: Deployed, attack: Attack
) -> None:
    body = event(ACCOUNT)
    headers = genuine(deployed, body)
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        others, value = [each for each in headers if each[0] != name], dict(headers)[name]
        expect_401(attack(body, others))
        for bad in (b"", b"\xff\xfe", "ünï☃".encode(), value[:-1], value + b"\xc3", b"1" * 6000):
            expect_401(attack(body, [*others, (name, bad)]))
        expect_401(attack(body, [*headers, (name, b"another")]))


def test_what_was_not_signed_with_the_secret_just_now_is_not_authentic(
    deployed: Deployed, attack: Attack
) -> None:
    body, now = event(ACCOUNT), int(time.time())
    (secret,) = deployed.secrets
    for headers in (
        signed(body, "another secret"),
        signed(body + b" ", secret),
        signed(body, secret, at=now - 400),
        signed(body, secret, at=now + 400),
        signed(body, secret) | {"webhook-id": "msg_of_another"},
        signed(body, ""),
        {},
    ):
        expect_401(attack(body, raw(headers)))
    for not_base64 in ("v1,", "v1,====", "v1,ü", "v1", "v2,QQ==", "v1," * 2000):
        headers = signed(body, "x") | {"webhook-signature": not_base64}
        expect_401(attack(body, raw(headers)))


def test_a_body_that_is_not_utf_8_is_refused(deployed: Deployed, attack: Attack) -> None:
    body = event(ACCOUNT).replace(b"ACTIVE", b"\xff\xfe\x80")
    assert attack(body, genuine(deployed, body)).status_code in {400, 401}


def test_a_body_that_is_too_large_is_refused_signed_or_not(
    deployed: Deployed, attack: Attack
) -> None:
    for size in (256 * 1024 + 1, 10_000_000):
        body = event(ACCOUNT, params="x" * size)[:size]
        assert attack(body, genuine(deployed, body)).status_code == 413
        assert attack(body, []).status_code == 413


def test_a_signed_body_that_is_not_the_envelope_is_a_bad_request(
    deployed: Deployed, attack: Attack
) -> None:
    begun = b'{"type":"composio.connected_account.activated","data":'
    deep = [b"[" * 100_000, begun + b'{"a":' * 40_000, begun + b"[" * 9000 + b"]" * 9000 + b"}"]
    wrong = [event(ACCOUNT, **{name: value}) for name in WRONG for value in WRONG[name]]
    for body in (*SHORT, *deep, *wrong):
        answer = attack(body, genuine(deployed, body))
        assert answer.status_code == 400, body[:99]
        assert MARK not in answer.text


def test_a_signed_event_that_does_not_concern_us_is_ignored(
    deployed: Deployed, attack: Attack
) -> None:
    for content in (
        {"type": "composio.trigger.message", "data": ACCOUNT},
        {"type": "COMPOSIO.CONNECTED_ACCOUNT.ACTIVE", "data": ACCOUNT},
        {"type": "github_commit_event", "data": {}, "timestamp": 5},
        {"trigger_name": "github_commit_event", "payload": ACCOUNT, "metadata": {}},
        {"type": "composio.connected_account.activated", "data": {"id": "ca_nobodys"}},
    ):
        body = json.dumps(content).encode()
        answer = attack(body, genuine(deployed, body))
        assert (answer.status_code, list(answer.json())) == (200, ["ignored"]), content


def test_generated_headers_and_bodies_are_never_let_in(attack: Attack) -> None:
    value = st.text(st.characters(min_codepoint=33, max_codepoint=255)).map(
        lambda text: text.replace("\x7f", "").encode("latin-1")
    )
    name = st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "x-other"])

    @A_FEW
    @given(st.binary(max_size=200), st.lists(st.tuples(name, value), max_size=6))
    def attempt(body: bytes, headers: Headers) -> None:
        expect_401(attack(body, headers))

    attempt()


def test_generated_events_with_a_good_signature_are_never_an_error_of_ours(
    deployed: Deployed, attack: Attack
) -> None:
    # No server requires this auth config, so that even a valid event changes nothing.
    account = {**ACCOUNT, "auth_config": {"id": "ac_nobody"}}

    @A_FEW
    @given(st.dictionaries(st.sampled_from([*account, "x"]), JSON, max_size=3), JSON | st.none())
    def attempt(changes: dict[str, Any], data: object) -> None:
        for body in (
            event(account, **changes),
            json.dumps({"type": "composio.connected_account.x", "data": data}).encode(),
            json.dumps(data).encode(),
        ):
            assert attack(body, genuine(deployed, body)).status_code in {200, 400}

    attempt()
