"""A response is read as far as it has something to say; the status alone decides."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.answers import answer, problem
from handler.targets import Answer, Problem

RECORD = {
    "id": "6c2bd2bd-0000-4000-8000-000000000001",
    "instance_id": "user_1",
    "mcp_server_id": "srv_1",
    "created_at": "2026-01-15T10:30:00.000Z",
    "updated_at": "2026-01-15T10:30:00.000Z",
}
ENVELOPE = {
    "message": "User lacks connected accounts",
    "code": 1803,
    "slug": "MCP_MissingConnectedAccounts",
    "status": 403,
    "request_id": "req_of_body",
    "suggested_fix": "Connect the account",
    "errors": ["ac_mail"],
}


def body(content: object) -> bytes:
    return json.dumps(content).encode()


def headers(**values: str) -> httpx.Headers:
    return httpx.Headers({name.replace("_", "-"): value for name, value in values.items()})


@pytest.mark.parametrize(("status", "record"), [(200, RECORD), (201, RECORD), (409, None)])
def test_only_an_answer_of_success_has_a_record(status: int, record: object) -> None:
    answered = answer(status, {}, body(RECORD | {"colour": "red"}))

    assert (answered.status, answered.record) == (status, record)


@pytest.mark.parametrize("field", RECORD)
def test_record_with_a_field_missing_or_unreadable_is_none(field: str) -> None:
    without = {name: value for name, value in RECORD.items() if name != field}

    for content in (without, RECORD | {field: None}, RECORD | {field: 5}):
        assert answer(201, {}, body(content)).record is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_success_with_an_unreadable_body_has_no_record(content: bytes) -> None:
    assert answer(201, {}, content) == Answer(201, problem=Problem("HTTP 201", status=201))


def test_refusal_has_the_problem_in_composios_words() -> None:
    refused = answer(403, headers(x_request_id="req_of_header"), body({"error": ENVELOPE}))

    assert refused == Answer(
        403,
        problem=Problem(
            "User lacks connected accounts",
            status=403,
            slug="MCP_MissingConnectedAccounts",
            suggested_fix="Connect the account",
            request_id="req_of_header",
            enveloped=True,
        ),
    )


def test_request_id_is_the_bodys_where_the_header_is_missing() -> None:
    assert problem(403, headers(), body({"error": ENVELOPE})).request_id == "req_of_body"


def test_early_envelope_without_slug_is_read() -> None:
    content = {"error": {"message": "No such server", "status": 404}}

    assert problem(404, headers(), body(content)) == Problem(
        "No such server", status=404, enveloped=True
    )


def test_rate_limit_has_a_bare_message() -> None:
    content = {"message": "Rate limit exceeded. Limit: 2000 requests per 1 minutes"}

    limited = answer(429, headers(retry_after="17"), body(content))

    assert limited.problem == Problem(content["message"], status=429, retry_after=17)


def test_other_rate_limit_has_a_bare_slug() -> None:
    content = {"code": 10429, "slug": "HTTP_TooManyRequests"}

    limited = answer(429, headers(), body(content))

    assert limited.problem == Problem("HTTP 429", status=429, slug="HTTP_TooManyRequests")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Bad Gateway</html>",
        b"[]",
        b'"text"',
        b"\xff",
        b"9" * 5000,
        body({"error": "text"}),
        body({"error": None}),
        body({"error": {"message": ""}}),
        body({"error": {"message": 5, "slug": ["a"], "suggested_fix": {}, "request_id": 7}}),
    ],
)
def test_refusal_without_a_message_is_named_by_its_status(content: bytes) -> None:
    assert problem(502, headers(), content) == Problem("HTTP 502", status=502)


def test_long_text_is_cut() -> None:
    said = problem(500, headers(), body({"error": {"message": "é" * 501, "slug": "x" * 500}}))

    assert said.message == "é" * 500
    assert said.slug == "x" * 500


def test_text_can_be_stored_whatever_it_is() -> None:
    said = problem(500, headers(), rb'{"error": {"message": "half a \ud83d"}}')

    assert said.message.encode()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("60", 60),
        ("3600", 3600),
        ("3601", 3600),
        ("9" * 5000, 3600),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("²", None),
        ("soon", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_whole_seconds_and_at_most_an_hour(text: str, seconds: float | None) -> None:
    assert answer(429, {"retry-after": text}, b"").problem.retry_after == seconds


@pytest.mark.parametrize(
    ("text", "date", "seconds"),
    [
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:27:18 GMT", 42),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:01 GMT", 0),
        ("Thu, 22 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 3600),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "today", None),
        ("Wed, 21 Oct 2026 07:28:00 +0200", "Wed, 21 Oct 2026 07:27:18 GMT", None),
        ("", "Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after_may_be_a_time_by_the_senders_clock(
    text: str, date: str, seconds: float | None
) -> None:
    given_headers = headers(retry_after=text, date=date)

    for status in (200, 429, 503):
        assert answer(status, given_headers, b"").problem.retry_after == seconds


@given(
    status=st.integers(100, 599),
    retry_after=st.text(st.characters(exclude_categories=())),
    content=st.binary(),
)
def test_any_response_is_an_answer(status: int, retry_after: str, content: bytes) -> None:
    given_headers = {"retry-after": retry_after, "x-request-id": retry_after}

    answered = answer(status, given_headers, content)

    assert answered.status == status
    assert answered.problem.message
