"""The API key of a call to Composio, and what a call leaves in metrics and the log."""

import json
import logging
import traceback
from collections import Counter

import httpx
import pytest

from handler.targets import Answer, Problem
from handler.transport import Unavailable, connect
from tests.doubles import ANSWERS, Counted, Figured, Log
from tests.handler.scripted_composio import (
    ANYTHING,
    API_KEY,
    BASE_URL,
    NETWORK_FAILURES,
    QUESTIONS,
    RECORD,
    USER,
    Call,
    ScriptedComposio,
    Step,
    list_accounts,
    ok,
    refusal,
)

NEXT_KEY = "ak_invented-next"


def test_nothing_is_sent_without_a_secret(composio: ScriptedComposio) -> None:
    composio.store.text = ""
    problem = Problem("the secret cannot be read")

    assert composio.create() == Answer(None, problem=problem)
    for call in QUESTIONS:
        assert composio.problem(call) == problem
    assert composio.requests == []


def test_rejected_key_is_fetched_again_and_the_create_repeated(
    composio: ScriptedComposio, log: Log, counted: Counted
) -> None:
    composio.use_key_for_a_while()
    composio.store.keep(NEXT_KEY)
    composio.will(refusal(401), ok(RECORD, 201))

    assert composio.create().status == 201
    assert composio.keys == [API_KEY, NEXT_KEY]
    assert [json.loads(one.content) for one in composio.requests] == [{"user_id": USER}] * 2
    assert counted() == {}
    assert log.text == ""


@pytest.mark.parametrize("call", QUESTIONS)
def test_rejected_key_is_fetched_again_for_a_question(
    composio: ScriptedComposio, call: Call
) -> None:
    composio.use_key_for_a_while()
    composio.store.keep(NEXT_KEY)
    composio.will(refusal(401), ok(ANYTHING))

    call(composio.client, composio.deadline)

    assert composio.keys == [API_KEY, NEXT_KEY]


def test_unchanged_key_is_fetched_once_and_not_tried_again(
    composio: ScriptedComposio, log: Log, counted: Counted
) -> None:
    composio.use_key_for_a_while()
    composio.will(*[refusal(401)] * 5)

    assert [composio.create().status for _ in range(5)] == [401] * 5
    assert composio.keys == [API_KEY] * 5
    assert composio.store.fetches == 2
    assert counted() == {"ComposioKeyRejected": 5}
    assert [line["level"] for line in log.lines] == ["ERROR"] * 5


def test_call_is_repeated_with_a_new_key_only_once(
    composio: ScriptedComposio, counted: Counted
) -> None:
    composio.use_key_for_a_while()
    composio.store.keep(NEXT_KEY)
    composio.will(refusal(401), refusal(401))

    assert composio.create().status == 401
    assert composio.keys == [API_KEY, NEXT_KEY]
    assert counted() == {"ComposioKeyRejected": 1}


def test_call_with_a_new_key_keeps_the_deadline(composio: ScriptedComposio) -> None:
    def late() -> httpx.Response:
        composio.clock.forward(19.5)
        return refusal(401)

    composio.use_key_for_a_while()
    composio.store.keep(NEXT_KEY)
    composio.will(late)

    assert composio.create().status is None
    assert len(composio.requests) == 1


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        (ok(RECORD, 201, Deprecation="true"), False),
        (ok(RECORD, 201, Sunset="Wed, 31 Mar 2027 00:00:00 GMT"), False),
        (refusal(410), True),
    ],
)
def test_deprecated_endpoint_is_counted_and_logged(
    composio: ScriptedComposio, log: Log, counted: Counted, answer: httpx.Response, *, gone: bool
) -> None:
    composio.will(answer)

    composio.create()

    assert counted() == {"ComposioDeprecated": 1}
    assert [(line["level"], line["method"], line["gone"]) for line in log.lines] == [
        ("WARNING", "POST", gone)
    ]


def test_each_answer_is_counted_by_its_status_and_not_logged(
    composio: ScriptedComposio, figured: Figured, counted: Counted, log: Log
) -> None:
    metrics = {
        "Composio2xx": [200, 201],
        "Composio3xx": [302],
        "Composio4xx": [409],
        "Composio429": [429],
        "Composio5xx": [503, 999],
    }
    answers = [httpx.Response(one, json={}) for many in metrics.values() for one in many]
    composio.will(*answers, httpx.ReadTimeout("slow"))

    for _ in range(len(answers) + 1):
        composio.create()

    found = Counter({name: sum(figured(name)) for name in ANSWERS})
    assert +found == {name: len(many) for name, many in metrics.items()} | {"ComposioNoAnswer": 1}
    assert counted() == {}
    assert log.text == ""


def test_neither_log_nor_exception_holds_the_api_key_or_the_user(
    composio: ScriptedComposio, log: Log
) -> None:
    text = ""
    steps: list[Step] = [*NETWORK_FAILURES, refusal(401), refusal(410), httpx.Response(200)]
    for step in steps:
        composio.will(step)
        with pytest.raises(Unavailable) as caught:
            list_accounts(composio.client, composio.deadline)
        text += "".join(traceback.format_exception(caught.value))

    assert len(composio.requests) == len(steps)
    assert API_KEY not in text + log.text
    assert USER not in text + log.text


def test_http_library_does_not_log_the_user(
    composio: ScriptedComposio, caplog: pytest.LogCaptureFixture
) -> None:
    # The runtime sets this at the root for `LogLevel: INFO`; httpx then logs each URL.
    caplog.set_level(logging.INFO)
    composio.will(ok({"items": []}))

    assert composio.accounts("user-7") == []

    assert "user-7" not in caplog.text


def test_client_keeps_connections_and_does_not_follow_redirects() -> None:
    with connect(BASE_URL) as http:
        assert str(http.base_url) == f"{BASE_URL}/"
        assert http.follow_redirects is False
        assert vars(vars(http._transport)["make"]())["_pool"]._keepalive_expiry == 600
