"""What every call to Composio has in common: its form, its time, and how it fails."""

import json
from contextlib import suppress

import httpx
import pytest

from handler.targets import Answer, Problem, Target
from handler.transport import Unavailable
from tests.handler.scripted_composio import (
    ANYTHING,
    API_KEY,
    BASE_URL,
    LISTS,
    NETWORK_FAILURES,
    QUESTIONS,
    RECORD,
    SERVER,
    USER,
    Call,
    ScriptedComposio,
    find_instance,
    get_account,
    get_server,
    list_accounts,
    list_servers,
    ok,
    refusal,
)

NO_TIME = Problem("no time left for a call to Composio")


def test_create_is_one_post_of_the_user_id(composio: ScriptedComposio) -> None:
    composio.will(ok(RECORD, 201))

    assert composio.create().record == RECORD

    request = composio.request
    assert request.method == "POST"
    assert str(request.url) == f"{BASE_URL}/api/v3/mcp/servers/{SERVER}/instances"
    assert json.loads(request.content) == {"user_id": USER}
    assert request.headers["content-type"] == "application/json"
    assert composio.keys == [API_KEY]


@pytest.mark.parametrize(
    ("call", "path", "query"),
    [
        (
            find_instance,
            f"/mcp/servers/{SERVER}/instances",
            {"search": USER, "page_no": "1", "limit": "100"},
        ),
        (get_server, f"/mcp/{SERVER}", {}),
        (list_servers, "/mcp/servers", {"page_no": "1", "limit": "100"}),
        (get_account, "/connected_accounts/ca_1", {}),
        (
            list_accounts,
            "/connected_accounts",
            {"user_ids": USER, "account_type": "ALL", "limit": "100"},
        ),
    ],
)
def test_question_is_one_authorised_get(
    composio: ScriptedComposio, call: Call, path: str, query: dict[str, str]
) -> None:
    composio.will(ok(ANYTHING))

    call(composio.client, composio.deadline)

    assert composio.request.method == "GET"
    assert composio.request.url.path == f"/base/api/v3{path}"
    assert composio.queries == [query]
    assert composio.request.content == b""
    assert composio.keys == [API_KEY]


@pytest.mark.parametrize(
    ("identifier", "encoded"),
    [
        ("a/b?c#d", b"a%2Fb%3Fc%23d"),
        ("a b+c%2F", b"a%20b%2Bc%252F"),
        ("é\N{ELECTRIC LIGHT BULB}", b"%C3%A9%F0%9F%92%A1"),
    ],
)
def test_id_stays_one_segment_of_the_path(
    composio: ScriptedComposio, identifier: str, encoded: bytes
) -> None:
    composio.will(ok(RECORD, 201), *[ok(ANYTHING)] * 3)

    client, deadline = composio.client, composio.deadline
    client.create(Target(identifier, frozenset()), USER, deadline=deadline)
    client.find_instance(identifier, USER, deadline=deadline)
    client.get_server(identifier, deadline=deadline)
    client.get_account(identifier, deadline=deadline)

    assert [request.url.raw_path.split(b"?")[0] for request in composio.requests] == [
        b"/base/api/v3/mcp/servers/" + encoded + b"/instances",
        b"/base/api/v3/mcp/servers/" + encoded + b"/instances",
        b"/base/api/v3/mcp/" + encoded,
        b"/base/api/v3/connected_accounts/" + encoded,
    ]


@pytest.mark.parametrize("identifier", [".", "..", ""])
def test_id_cannot_name_another_endpoint(composio: ScriptedComposio, identifier: str) -> None:
    composio.will(ok({"id": "ca_1"}))

    with suppress(Unavailable):
        composio.client.get_account(identifier, deadline=composio.deadline)

    accounts = b"/base/api/v3/connected_accounts/"
    paths = [request.url.raw_path for request in composio.requests]
    assert all(path.startswith(accounts) and path != accounts for path in paths)


@pytest.mark.parametrize("user_id", ["a&user_ids=b", "a=b#c?d", "é \N{ELECTRIC LIGHT BULB}+%41"])
def test_user_id_stays_one_value_of_the_query(composio: ScriptedComposio, user_id: str) -> None:
    composio.will(ok(ANYTHING), ok(ANYTHING))

    assert composio.accounts(user_id) == []
    assert composio.client.find_instance(SERVER, user_id, deadline=composio.deadline) is None

    assert composio.requests[0].url.params.get_list("user_ids") == [user_id]
    assert composio.requests[1].url.params.get_list("search") == [user_id]


@pytest.mark.parametrize(
    ("left", "connecting", "reading"), [(20, 2, 6), (6.5, 2, 6), (4, 2, 4), (1.5, 1.5, 1.5)]
)
def test_no_phase_of_a_call_takes_longer_than_the_time_left(
    composio: ScriptedComposio, left: float, connecting: float, reading: float
) -> None:
    composio.will(ok(RECORD, 201))

    composio.create(seconds=left)

    timeout = composio.request.extensions["timeout"]
    assert timeout == {"connect": connecting, **dict.fromkeys(["read", "write", "pool"], reading)}


@pytest.mark.parametrize("left", [0.99, 0, -5])
def test_no_call_begins_with_less_than_a_second_left(
    composio: ScriptedComposio, left: float
) -> None:
    assert composio.create(seconds=left) == Answer(None, problem=NO_TIME)
    for call in QUESTIONS:
        assert composio.problem(call, seconds=left) == NO_TIME
    assert composio.requests == []


def test_no_call_begins_when_fetching_the_api_key_has_used_up_the_time(
    composio: ScriptedComposio, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = composio.credentials.api_key

    def slow() -> str:
        composio.clock.forward(10)
        return fetch()

    monkeypatch.setattr(composio.credentials, "api_key", slow)

    assert composio.create(seconds=10).problem == NO_TIME
    assert composio.requests == []


@pytest.mark.parametrize("call", LISTS)
def test_endless_list_is_given_up_at_the_deadline(composio: ScriptedComposio, call: Call) -> None:
    def page() -> httpx.Response:
        composio.clock.forward(4)
        following = {"next_cursor": f"c{len(composio.requests)}", "total_pages": 10**9}
        return ok(ANYTHING | following)

    composio.will(*[page] * 100)

    assert composio.problem(call) == NO_TIME
    assert len(composio.requests) == 5


@pytest.mark.parametrize("failure", NETWORK_FAILURES, ids=lambda error: type(error).__name__)
def test_call_without_an_answer_is_not_repeated(
    composio: ScriptedComposio, failure: Exception
) -> None:
    composio.will(*[failure] * (1 + len(QUESTIONS)))
    no_answer = Problem(f"no answer: {type(failure).__name__}")

    assert composio.create() == Answer(None, problem=no_answer)
    for call in QUESTIONS:
        assert composio.problem(call) == no_answer
    assert len(composio.requests) == 1 + len(QUESTIONS)


@pytest.mark.parametrize("status", [204, 301, 307, 403, 404, 408, 409, 429, 500, 503, 529])
def test_refused_create_is_an_answer_and_is_not_repeated(
    composio: ScriptedComposio, status: int
) -> None:
    composio.will(refusal(status, x_request_id="req_1", location="https://other.example/"))
    refused = Problem(
        f"refused with {status}",
        status=status,
        slug=f"Slug_{status}",
        request_id="req_1",
        enveloped=True,
    )

    assert composio.create() == Answer(status, problem=refused)
    assert len(composio.requests) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 403, 429, 500])
def test_refused_question_has_the_problem_in_composios_words(
    composio: ScriptedComposio, status: int
) -> None:
    composio.will(*[refusal(status)] * len(QUESTIONS))

    for call in QUESTIONS:
        assert composio.problem(call) == Problem(
            f"refused with {status}", status=status, slug=f"Slug_{status}", enveloped=True
        )
    assert len(composio.requests) == len(QUESTIONS)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'"text"', b"\xff", b"[" * 100_000])
def test_answer_to_a_question_must_be_an_object(composio: ScriptedComposio, content: bytes) -> None:
    composio.will(*[httpx.Response(200, content=content)] * len(QUESTIONS))

    for call in QUESTIONS:
        assert composio.problem(call) == Problem("HTTP 200", status=200)
