"""Composio's verbs over a scripted network: what is sent, and what is made of each answer."""

import json
import logging
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import httpx
import pytest
from mypy_boto3_secretsmanager import SecretsManagerClient

from handler.composio import MOST_SEARCHED_PAGES, Composio
from handler.credentials import Credentials
from handler.paging import Place
from handler.targets import Answer, Problem, Target
from handler.transport import Transport, Unavailable, connect
from tests.doubles import ANSWERS, Clock, Counted, FakeSecretsManager, Figured, Log

BASE_URL = "https://composio.example/base"
API_KEY = "ak_invented"
NEXT_KEY = "ak_invented-next"
USER = "ada+lovelace@example.com"
SERVER = "srv_1"
TARGET = Target(SERVER, frozenset())
SECONDS = 20.0

RECORD = {
    "id": "6c2bd2bd-0000-4000-8000-000000000001",
    "instance_id": USER,
    "mcp_server_id": SERVER,
    "created_at": "2026-01-15T10:30:00.000Z",
    "updated_at": "2026-01-15T10:30:00.000Z",
}
ANYTHING = {"id": "ca_1", "auth_config_ids": [], "items": [], "instances": []}
"""Answers every question."""

SERVER_BODY = {"id": SERVER, "name": "support", "auth_config_ids": ["ac_mail"]}

type Step = httpx.Response | Exception | Callable[[], httpx.Response]


class Network:
    """Answers in the order of the script, and remembers what was asked."""

    def __init__(self) -> None:
        self.script: list[Step] = []
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, httpx.Response) else step()

    def will(self, *steps: Step) -> None:
        """Answer so from now on, once each."""
        self.script = list(steps)

    @property
    def request(self) -> httpx.Request:
        """The only request there was."""
        [request] = self.requests
        return request

    @property
    def keys(self) -> list[str]:
        """The API key of each request."""
        return [request.headers["x-api-key"] for request in self.requests]

    @property
    def queries(self) -> list[dict[str, str]]:
        """The query of each request."""
        return [dict(request.url.params) for request in self.requests]


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def store() -> FakeSecretsManager:
    store = FakeSecretsManager()
    store.keep(API_KEY)
    return store


@pytest.fixture
def composio(network: Network, store: FakeSecretsManager, clock: Clock) -> Composio:
    http = httpx.Client(base_url=BASE_URL, transport=httpx.MockTransport(network))
    secrets = cast("SecretsManagerClient", store)
    credentials = Credentials(secrets, "composio", clock=clock)
    # The key has been in use for a while: a rejection may then fetch it again.
    clock.forward(-60)
    credentials.api_key()
    clock.forward(60)
    return Composio(Transport(lambda: http, credentials, clock=clock))


@pytest.fixture
def deadline(clock: Clock) -> float:
    return clock() + SECONDS


def ok(content: object, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=content, headers=headers)


def refusal(status: int, **headers: str) -> httpx.Response:
    error = {"message": f"refused with {status}", "slug": f"Slug_{status}", "status": status}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"error": error}, headers=named)


def account(account_id: str = "ca_1", **changes: object) -> dict[str, object]:
    return {
        "id": account_id,
        "user_id": USER,
        "auth_config": {"id": "ac_mail"},
        "status": "ACTIVE",
        "updated_at": "2026-01-15T10:30:00Z",
    } | changes


def call_create(composio: Composio, deadline: float) -> object:
    return composio.create(TARGET, USER, deadline=deadline)


def call_find(composio: Composio, deadline: float) -> object:
    return composio.find_instance(SERVER, USER, deadline=deadline)


def call_server(composio: Composio, deadline: float) -> object:
    return composio.get_server(SERVER, deadline=deadline)


def call_servers(composio: Composio, deadline: float) -> object:
    return composio.list_servers(deadline=deadline)


def call_account(composio: Composio, deadline: float) -> object:
    return composio.get_account("ca_1", deadline=deadline)


def call_accounts(composio: Composio, deadline: float) -> object:
    return list(composio.list_accounts(USER, deadline=deadline))


type Call = Callable[[Composio, float], object]

QUESTIONS: list[Call] = [call_find, call_server, call_servers, call_account, call_accounts]
LISTS: list[Call] = [call_find, call_servers, call_accounts]


def unavailable(call: Call, composio: Composio, deadline: float) -> Problem:
    with pytest.raises(Unavailable) as caught:
        call(composio, deadline)
    return caught.value.problem


# --- what is sent ---


def test_create_is_one_post_of_the_user_id(
    composio: Composio, network: Network, deadline: float
) -> None:
    network.will(ok(RECORD, 201))

    composio.create(TARGET, USER, deadline=deadline)

    assert network.request.method == "POST"
    assert str(network.request.url) == f"{BASE_URL}/api/v3/mcp/servers/{SERVER}/instances"
    assert json.loads(network.request.content) == {"user_id": USER}
    assert network.request.headers["content-type"] == "application/json"
    assert network.keys == [API_KEY]


@pytest.mark.parametrize(
    ("call", "path", "query"),
    [
        (
            call_find,
            f"/api/v3/mcp/servers/{SERVER}/instances",
            {"search": USER, "page_no": "1", "limit": "100"},
        ),
        (call_server, f"/api/v3/mcp/{SERVER}", {}),
        (call_servers, "/api/v3/mcp/servers", {"page_no": "1", "limit": "100"}),
        (call_account, "/api/v3/connected_accounts/ca_1", {}),
        (
            call_accounts,
            "/api/v3/connected_accounts",
            {"user_ids": USER, "account_type": "ALL", "limit": "100"},
        ),
    ],
)
def test_question_is_one_authorised_get(
    *,
    composio: Composio,
    network: Network,
    deadline: float,
    call: Call,
    path: str,
    query: dict[str, str],
) -> None:
    network.will(ok(ANYTHING))

    call(composio, deadline)

    assert network.request.method == "GET"
    assert network.request.url.path == f"/base{path}"
    assert network.queries == [query]
    assert network.request.content == b""
    assert network.keys == [API_KEY]


@pytest.mark.parametrize(
    ("identifier", "encoded"),
    [
        ("a/b", b"a%2Fb"),
        ("a?b#c", b"a%3Fb%23c"),
        ("a b+c%2F", b"a%20b%2Bc%252F"),
        ("é", b"%C3%A9"),
        ("\N{ELECTRIC LIGHT BULB}", b"%F0%9F%92%A1"),
    ],
)
def test_id_stays_one_segment_of_the_path(
    composio: Composio, network: Network, deadline: float, identifier: str, encoded: bytes
) -> None:
    network.will(ok(RECORD, 201), *[ok(ANYTHING)] * 3)

    composio.create(Target(identifier, frozenset()), USER, deadline=deadline)
    composio.find_instance(identifier, USER, deadline=deadline)
    composio.get_server(identifier, deadline=deadline)
    composio.get_account(identifier, deadline=deadline)

    assert [request.url.raw_path.split(b"?")[0] for request in network.requests] == [
        b"/base/api/v3/mcp/servers/" + encoded + b"/instances",
        b"/base/api/v3/mcp/servers/" + encoded + b"/instances",
        b"/base/api/v3/mcp/" + encoded,
        b"/base/api/v3/connected_accounts/" + encoded,
    ]


@pytest.mark.parametrize("identifier", [".", "..", ""])
def test_id_cannot_name_another_endpoint(
    composio: Composio, network: Network, deadline: float, identifier: str
) -> None:
    network.will(ok({"id": "ca_1"}))

    with suppress(Unavailable):
        composio.get_account(identifier, deadline=deadline)

    accounts = b"/base/api/v3/connected_accounts/"
    paths = [request.url.raw_path for request in network.requests]
    assert all(path.startswith(accounts) and path != accounts for path in paths)


@pytest.mark.parametrize("user_id", ["a&user_ids=b", "a=b#c?d", "é \N{ELECTRIC LIGHT BULB}+%41"])
def test_user_id_stays_one_value_of_the_query(
    composio: Composio, network: Network, deadline: float, user_id: str
) -> None:
    network.will(ok({"items": []}), ok({"instances": []}))

    assert list(composio.list_accounts(user_id, deadline=deadline)) == []
    assert composio.find_instance(SERVER, user_id, deadline=deadline) is None

    assert network.requests[0].url.params.get_list("user_ids") == [user_id]
    assert network.requests[1].url.params.get_list("search") == [user_id]


# --- time ---


@pytest.mark.parametrize(
    ("left", "connecting", "reading"), [(20, 2, 6), (6.5, 2, 6), (4, 2, 4), (1.5, 1.5, 1.5)]
)
def test_no_phase_of_a_call_takes_longer_than_what_is_left(
    *,
    composio: Composio,
    network: Network,
    clock: Clock,
    left: float,
    connecting: float,
    reading: float,
) -> None:
    network.will(ok(RECORD, 201))

    composio.create(TARGET, USER, deadline=clock() + left)

    timeout = network.request.extensions["timeout"]
    assert timeout == {
        "connect": connecting,
        "read": reading,
        "write": reading,
        "pool": reading,
    }


@pytest.mark.parametrize("left", [0.99, 0, -5])
def test_no_call_is_begun_with_less_than_a_second_left(
    composio: Composio, network: Network, clock: Clock, left: float
) -> None:
    no_time = Problem("no time left for a call to Composio")

    assert composio.create(TARGET, USER, deadline=clock() + left) == Answer(None, problem=no_time)
    for call in QUESTIONS:
        assert unavailable(call, composio, clock() + left) == no_time
    assert network.requests == []


@pytest.mark.parametrize("call", LISTS)
def test_list_without_an_end_is_given_up_at_the_deadline(
    composio: Composio, network: Network, clock: Clock, deadline: float, call: Call
) -> None:
    def page() -> httpx.Response:
        clock.forward(4)
        following = {"next_cursor": f"c{len(network.requests)}", "total_pages": 10**9}
        return ok(ANYTHING | following)

    network.will(*[page] * 100)

    assert unavailable(call, composio, deadline).message == "no time left for a call to Composio"
    assert len(network.requests) == 5


# --- create ---


@pytest.mark.parametrize("status", [200, 201])
def test_created_instance_comes_with_its_record(
    composio: Composio, network: Network, deadline: float, status: int
) -> None:
    network.will(ok(RECORD, status))

    created = composio.create(TARGET, USER, deadline=deadline)

    assert (created.status, created.record) == (status, RECORD)


@pytest.mark.parametrize("status", [200, 201])
def test_record_of_somebody_else_is_none_of_this_user(
    composio: Composio, network: Network, deadline: float, status: int
) -> None:
    network.will(ok(RECORD | {"instance_id": "another"}, status))

    answer = composio.create(TARGET, USER, deadline=deadline)

    assert (answer.status, answer.record) == (status, None)


@pytest.mark.parametrize(
    "status",
    [204, 301, 307, 400, 402, 403, 404, 405, 408, 409, 410, 413, 422, 429, 500, 502, 503, 504, 529],
)
def test_whatever_composio_answers_to_a_create_is_the_answer_and_is_asked_once(
    composio: Composio, network: Network, deadline: float, status: int
) -> None:
    network.will(refusal(status, x_request_id="req_1", location="https://other.example/"))

    assert composio.create(TARGET, USER, deadline=deadline) == Answer(
        status,
        problem=Problem(
            f"refused with {status}",
            status=status,
            slug=f"Slug_{status}",
            request_id="req_1",
            enveloped=True,
        ),
    )
    assert len(network.requests) == 1


def test_rate_limit_says_how_long_to_wait(
    composio: Composio, network: Network, deadline: float
) -> None:
    said = "Rate limit exceeded. Limit: 2000 requests per 1 minutes"
    network.will(httpx.Response(429, json={"message": said}, headers={"Retry-After": "42"}))

    assert composio.create(TARGET, USER, deadline=deadline) == Answer(
        429, problem=Problem(said, status=429, retry_after=42)
    )


NETWORK_FAILURES = [
    httpx.ConnectError(f"for {USER}"),
    httpx.ConnectTimeout(f"for {USER}"),
    httpx.ReadTimeout(f"for {USER}"),
    httpx.WriteTimeout(f"for {USER}"),
    httpx.PoolTimeout(f"for {USER}"),
    httpx.ReadError(f"for {USER}"),
    httpx.WriteError(f"for {USER}"),
    httpx.CloseError(f"for {USER}"),
    httpx.RemoteProtocolError(f"for {USER}"),
    httpx.LocalProtocolError(f"for {USER}"),
    httpx.ProxyError(f"for {USER}"),
    httpx.UnsupportedProtocol(f"for {USER}"),
    httpx.DecodingError(f"for {USER}"),
    httpx.TooManyRedirects(f"for {USER}"),
]


@pytest.mark.parametrize("failure", NETWORK_FAILURES, ids=lambda error: type(error).__name__)
def test_lost_answer_to_a_create_is_an_answer_without_status(
    composio: Composio, network: Network, deadline: float, failure: Exception
) -> None:
    network.will(failure)

    assert composio.create(TARGET, USER, deadline=deadline) == Answer(
        None, problem=Problem(f"no answer: {type(failure).__name__}")
    )
    assert len(network.requests) == 1


@pytest.mark.parametrize("call", QUESTIONS)
@pytest.mark.parametrize("failure", NETWORK_FAILURES, ids=lambda error: type(error).__name__)
def test_lost_answer_to_a_question_is_unavailable(
    composio: Composio, network: Network, deadline: float, call: Call, failure: Exception
) -> None:
    network.will(failure)

    assert unavailable(call, composio, deadline) == Problem(f"no answer: {type(failure).__name__}")


def test_without_a_secret_nothing_is_sent(network: Network, clock: Clock) -> None:
    store = FakeSecretsManager()
    secrets = cast("SecretsManagerClient", store)
    http = httpx.Client(base_url=BASE_URL, transport=httpx.MockTransport(network))
    composio = Composio(
        Transport(lambda: http, Credentials(secrets, "composio", clock=clock), clock=clock)
    )
    problem = Problem("the secret cannot be read")

    deadline = clock() + SECONDS
    assert call_create(composio, deadline) == Answer(None, problem=problem)
    for call in QUESTIONS:
        assert unavailable(call, composio, deadline) == problem
    assert network.requests == []


# --- the API key ---


def test_rejected_key_is_fetched_again_and_the_call_repeated(
    *,
    composio: Composio,
    network: Network,
    store: FakeSecretsManager,
    deadline: float,
    log: Log,
    counted: Counted,
) -> None:
    store.keep(NEXT_KEY)
    network.will(refusal(401), ok(RECORD, 201))

    created = composio.create(TARGET, USER, deadline=deadline)

    assert created.status == 201
    assert network.keys == [API_KEY, NEXT_KEY]
    assert [json.loads(request.content) for request in network.requests] == [{"user_id": USER}] * 2
    assert counted() == {}
    assert log.text == ""


@pytest.mark.parametrize("call", QUESTIONS)
def test_rejected_key_is_fetched_again_for_a_question_too(
    composio: Composio, network: Network, store: FakeSecretsManager, deadline: float, call: Call
) -> None:
    store.keep(NEXT_KEY)
    network.will(refusal(401), ok(ANYTHING))

    call(composio, deadline)

    assert network.keys == [API_KEY, NEXT_KEY]


def test_unchanged_key_is_not_tried_again(
    *,
    composio: Composio,
    network: Network,
    store: FakeSecretsManager,
    deadline: float,
    log: Log,
    counted: Counted,
) -> None:
    network.will(refusal(401))

    assert composio.create(TARGET, USER, deadline=deadline).status == 401
    assert network.keys == [API_KEY]
    assert store.fetches == 2
    assert counted() == {"ComposioKeyRejected": 1}
    assert [line["level"] for line in log.lines] == ["ERROR"]


def test_rejected_new_key_is_the_end(
    composio: Composio,
    network: Network,
    store: FakeSecretsManager,
    deadline: float,
    counted: Counted,
) -> None:
    store.keep(NEXT_KEY)
    network.will(refusal(401), refusal(401))

    assert composio.create(TARGET, USER, deadline=deadline).status == 401
    assert network.keys == [API_KEY, NEXT_KEY]
    assert counted() == {"ComposioKeyRejected": 1}


def test_flood_of_rejections_fetches_the_key_once(
    composio: Composio, network: Network, store: FakeSecretsManager, deadline: float
) -> None:
    network.will(*[refusal(401)] * 5)

    for _ in range(5):
        composio.create(TARGET, USER, deadline=deadline)

    assert len(network.requests) == 5
    assert store.fetches == 2


def test_repeat_with_a_new_key_keeps_the_deadline(
    composio: Composio, network: Network, store: FakeSecretsManager, clock: Clock, deadline: float
) -> None:
    def late() -> httpx.Response:
        clock.forward(SECONDS - 0.5)
        return refusal(401)

    store.keep(NEXT_KEY)
    network.will(late)

    assert composio.create(TARGET, USER, deadline=deadline).status is None
    assert len(network.requests) == 1


# --- deprecation ---


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        (ok(RECORD, 201, Deprecation="true"), False),
        (ok(RECORD, 201, Sunset="Wed, 31 Mar 2027 00:00:00 GMT"), False),
        (refusal(410), True),
    ],
)
def test_deprecated_endpoint_is_counted_and_told(
    *,
    composio: Composio,
    network: Network,
    deadline: float,
    log: Log,
    counted: Counted,
    answer: httpx.Response,
    gone: bool,
) -> None:
    network.will(answer)

    composio.create(TARGET, USER, deadline=deadline)

    assert counted() == {"ComposioDeprecated": 1}
    assert [(line["level"], line["method"], line["gone"]) for line in log.lines] == [
        ("WARNING", "POST", gone)
    ]


@pytest.mark.parametrize(
    ("status", "metric"),
    [
        (200, "Composio2xx"),
        (201, "Composio2xx"),
        (302, "Composio3xx"),
        (401, "Composio4xx"),
        (409, "Composio4xx"),
        (429, "Composio429"),
        (503, "Composio5xx"),
        (999, "Composio5xx"),
    ],
)
def test_each_answer_is_counted_by_its_status(
    composio: Composio,
    network: Network,
    status: int,
    metric: str,
    figured: Figured,
) -> None:
    network.will(httpx.Response(status, json={}))

    composio.create(TARGET, USER, deadline=Clock().now + SECONDS)

    assert {name: figured(name) for name in ANSWERS if figured(name)} == {metric: [1.0]}


def test_call_without_an_answer_is_counted(
    composio: Composio, network: Network, deadline: float, figured: Figured
) -> None:
    network.will(httpx.ReadTimeout("slow"))

    composio.create(TARGET, USER, deadline=deadline)

    assert {name for name in ANSWERS if figured(name)} == {"ComposioNoAnswer"}


def test_ordinary_answers_are_not_told(
    composio: Composio,
    network: Network,
    deadline: float,
    log: Log,
    counted: Counted,
) -> None:
    network.will(ok(RECORD, 201), refusal(409), refusal(500))

    for _ in range(3):
        composio.create(TARGET, USER, deadline=deadline)

    assert counted() == {}
    assert log.text == ""


# --- questions ---


@pytest.mark.parametrize("call", QUESTIONS)
@pytest.mark.parametrize("status", [301, 400, 401, 403, 410, 422, 429, 500, 503])
def test_refused_question_is_unavailable_in_composios_words(
    composio: Composio, network: Network, deadline: float, call: Call, status: int
) -> None:
    network.will(refusal(status))

    assert unavailable(call, composio, deadline) == Problem(
        f"refused with {status}", status=status, slug=f"Slug_{status}", enveloped=True
    )
    assert len(network.requests) == 1


@pytest.mark.parametrize("call", QUESTIONS)
@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'"text"', b"\xff", b"[" * 100_000])
def test_question_without_an_object_for_an_answer_is_unavailable(
    composio: Composio, network: Network, deadline: float, call: Call, content: bytes
) -> None:
    network.will(httpx.Response(200, content=content))

    assert unavailable(call, composio, deadline) == Problem("HTTP 200", status=200)


@pytest.mark.parametrize("call", LISTS)
@pytest.mark.parametrize("items", [5, True, 1.5, None, {}, ""])
def test_list_that_is_no_list_is_unavailable(
    composio: Composio, network: Network, deadline: float, call: Call, items: object
) -> None:
    network.will(ok({"items": items, "instances": items}))

    unavailable(call, composio, deadline)


@pytest.mark.parametrize("call", LISTS)
@pytest.mark.parametrize("content", [{}, {"message": "ok"}, {"data": {"items": []}}])
def test_list_without_its_key_is_unavailable(
    composio: Composio, network: Network, deadline: float, call: Call, content: object
) -> None:
    network.will(ok(content))

    assert unavailable(call, composio, deadline).message.endswith("is no list")


@pytest.mark.parametrize("call", [call_find, call_servers])
@pytest.mark.parametrize("total", ["many", [2], {"pages": 2}])
def test_number_of_pages_that_is_no_number_is_unavailable(
    composio: Composio, network: Network, deadline: float, call: Call, total: object
) -> None:
    network.will(ok({"items": [], "instances": [], "total_pages": total}))

    unavailable(call, composio, deadline)


@pytest.mark.parametrize("call", [call_find, call_servers])
@pytest.mark.parametrize("total", [None, 0, 1, "absent"])
def test_last_page_is_the_end(
    composio: Composio, network: Network, deadline: float, call: Call, total: object
) -> None:
    page: dict[str, Any] = {"items": [], "instances": [], "total_pages": total}
    if total == "absent":
        del page["total_pages"]
    network.will(ok(page))

    assert not call(composio, deadline)
    assert len(network.requests) == 1


def test_instance_is_found_by_its_whole_id_on_any_page(
    composio: Composio, network: Network, deadline: float
) -> None:
    others = [RECORD | {"instance_id": one} for one in (f"{USER}.uk", USER.upper(), f"x{USER}")]
    network.will(
        ok({"instances": others, "total_pages": 3}),
        ok({"instances": [*others, {"instance_id": USER}, None, RECORD], "total_pages": 3}),
    )

    assert composio.find_instance(SERVER, USER, deadline=deadline) == RECORD
    assert [query["page_no"] for query in network.queries] == ["1", "2"]


def test_instance_that_the_list_does_not_have_is_none(
    composio: Composio, network: Network, deadline: float
) -> None:
    other = RECORD | {"instance_id": "another"}
    network.will(
        ok({"instances": [other], "total_pages": 2}), ok({"instances": [], "total_pages": 2})
    )

    assert composio.find_instance(SERVER, USER, deadline=deadline) is None
    assert len(network.requests) == 2


def test_search_for_an_id_that_many_ids_contain_is_given_up(
    composio: Composio, network: Network, deadline: float
) -> None:
    others = [RECORD | {"instance_id": f"9{number}"} for number in range(100)]
    page = {"instances": others, "total_pages": 70}
    network.will(*(ok(page) for _ in range(70)))

    with pytest.raises(Unavailable, match="too many pages"):
        composio.find_instance(SERVER, "9", deadline=deadline)
    assert len(network.requests) == MOST_SEARCHED_PAGES
    with pytest.raises(Unavailable, match="too many pages"):
        composio.find_instance(SERVER, "9", deadline=deadline, pages=1)
    assert len(network.requests) == MOST_SEARCHED_PAGES + 1


def test_server_says_what_it_requires(
    composio: Composio, network: Network, deadline: float
) -> None:
    network.will(ok(SERVER_BODY | {"deleted": False, "mcp_url": "https://x"}))

    assert composio.get_server(SERVER, deadline=deadline) == Target(
        SERVER, frozenset({"ac_mail"}), name="support", url="https://x"
    )


def test_unknown_and_deleted_servers_are_gone(
    composio: Composio, network: Network, deadline: float
) -> None:
    network.will(refusal(404), ok(SERVER_BODY | {"deleted": True}))

    assert composio.get_server(SERVER, deadline=deadline) == Target(SERVER, frozenset(), gone=True)
    assert composio.get_server(SERVER, deadline=deadline).gone


@pytest.mark.parametrize("content", [b"<html>", b"", b"{}", b'{"message": "not found"}'])
def test_not_found_that_is_not_composios_own_is_no_absence(
    composio: Composio, network: Network, deadline: float, content: bytes
) -> None:
    for call in (call_server, call_account):
        network.will(httpx.Response(404, content=content))
        assert unavailable(call, composio, deadline).status == 404


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"id": 5, "auth_config_ids": []},
        {"id": SERVER},
        SERVER_BODY | {"auth_config_ids": "ac_mail"},
        SERVER_BODY | {"auth_config_ids": None},
        SERVER_BODY | {"id": None},
    ],
)
def test_unreadable_server_is_not_guessed_and_stops_no_other(
    *,
    composio: Composio,
    network: Network,
    deadline: float,
    content: object,
    counted: Counted,
    log: Log,
) -> None:
    other = SERVER_BODY | {"id": "srv_2"}
    network.will(ok(content), ok({"items": [content, None, other]}))

    problem = unavailable(call_server, composio, deadline)
    assert problem == Problem("the answer is not readable as McpServer")
    assert set(composio.list_servers(deadline=deadline)) == {"srv_2"}
    assert counted() == {"ItemUnreadable": 3}
    assert [line["model"] for line in log.lines] == ["McpServer"] * 3


def test_servers_of_all_pages_are_listed_by_id(
    composio: Composio, network: Network, deadline: float
) -> None:
    network.will(
        ok({"items": [SERVER_BODY], "total_pages": 2}),
        ok({"items": [SERVER_BODY | {"id": "srv_2"}], "total_pages": 2}),
    )

    servers = composio.list_servers(deadline=deadline)

    assert servers == {
        one: Target(one, frozenset({"ac_mail"}), name="support") for one in ("srv_1", "srv_2")
    }
    assert [query["page_no"] for query in network.queries] == ["1", "2"]


def test_half_a_list_is_unavailable(composio: Composio, network: Network, deadline: float) -> None:
    page = {
        "items": [SERVER_BODY],
        "instances": [],
        "total_pages": 2,
        "next_cursor": "on",
    }
    for call in LISTS:
        network.will(ok(page), refusal(500))
        assert unavailable(call, composio, deadline).status == 500


def test_account_is_read(composio: Composio, network: Network, deadline: float) -> None:
    network.will(ok(account()))

    found = composio.get_account("ca_1", deadline=deadline)

    assert found
    fact = found.fact()
    assert fact
    assert (fact.id, fact.user_id, fact.auth_config_id, fact.active) == (
        "ca_1",
        USER,
        "ac_mail",
        True,
    )


def test_account_that_composio_does_not_know_is_none(
    composio: Composio, network: Network, deadline: float
) -> None:
    network.will(refusal(404))

    assert composio.get_account("ca_1", deadline=deadline) is None


@pytest.mark.parametrize("content", [{}, {"id": None}, account(status=5)])
def test_unreadable_account_is_unavailable(
    composio: Composio, network: Network, deadline: float, content: object
) -> None:
    network.will(ok(content))

    assert unavailable(call_account, composio, deadline) == Problem(
        "the answer is not readable as ConnectedAccount"
    )


def listed(composio: Composio, deadline: float, user_id: str = USER) -> list[str]:
    return [one.id for one in composio.list_accounts(user_id, deadline=deadline)]


def test_accounts_of_all_pages_are_listed(
    composio: Composio, network: Network, deadline: float
) -> None:
    network.will(
        ok({"items": [account("ca_1"), account("ca_2")], "next_cursor": "a/b+c="}),
        ok({"items": [], "next_cursor": "d"}),
        ok({"items": [account("ca_3", status="EXPIRED")], "next_cursor": None}),
    )

    assert listed(composio, deadline) == ["ca_1", "ca_2", "ca_3"]
    assert [query.get("cursor") for query in network.queries] == [None, "a/b+c=", "d"]
    assert {query["user_ids"] for query in network.queries} == {USER}
    assert {query["account_type"] for query in network.queries} == {"ALL"}


def test_accounts_whose_pages_repeat_are_unavailable(
    composio: Composio, network: Network, deadline: float
) -> None:
    network.will(
        ok({"items": [account("ca_1")], "next_cursor": "on"}),
        ok({"items": [account("ca_2")], "next_cursor": "on"}),
    )

    assert unavailable(call_accounts, composio, deadline) == Problem("the pages of a list repeat")
    assert len(network.requests) == 2


def test_active_accounts_come_page_by_page_from_a_place_on(
    composio: Composio, network: Network, deadline: float
) -> None:
    network.will(
        ok({"items": [account("ca_1"), account("ca_2")], "next_cursor": "c8"}),
        ok({"items": [account("ca_3")], "next_cursor": "c9"}),
        ok({"items": [], "next_cursor": None}),
    )
    place = Place("c7", pages=7)

    pages = list(
        composio.active_accounts(place, auth_config_ids={"ac_b", "ac_a"}, deadline=deadline)
    )

    said = [(*page.place[:2], [one.id for one in page.accounts]) for page in pages]
    assert said == [("c7", 7, ["ca_1", "ca_2"]), ("c8", 8, ["ca_3"]), ("c9", 9, [])]
    assert [page.following and page.following.cursor for page in pages] == ["c8", "c9", None]
    assert {query["auth_config_ids"] for query in network.queries} == {"ac_a,ac_b"}
    assert {query["statuses"] for query in network.queries} == {"ACTIVE"}
    assert {query["account_type"] for query in network.queries} == {"ALL"}


def test_active_accounts_of_no_auth_config_are_none_and_not_all(
    composio: Composio, deadline: float
) -> None:
    pages = composio.active_accounts(Place(), auth_config_ids=frozenset(), deadline=deadline)

    assert list(pages) == []


@pytest.mark.parametrize("end", [{}, {"next_cursor": ""}, {"next_cursor": None}])
def test_accounts_end_without_a_cursor(
    composio: Composio, network: Network, deadline: float, end: dict[str, object]
) -> None:
    network.will(ok({"items": [account()]} | end))

    assert listed(composio, deadline) == ["ca_1"]


def test_accounts_without_a_user_id_are_those_of_the_user_asked_for(
    composio: Composio, network: Network, deadline: float
) -> None:
    network.will(ok({"items": [account(user_id=None), account("ca_2", user_id="another")]}))

    assert listed(composio, deadline) == ["ca_1"]


def test_user_id_with_a_comma_gets_only_accounts_that_name_it(
    composio: Composio, network: Network, deadline: float
) -> None:
    items = [
        account("ca_1", user_id="ada,bob"),
        account("ca_2", user_id="ada"),
        account("ca_3", user_id="bob"),
        account("ca_4", user_id=None),
    ]
    network.will(ok({"items": items}))

    assert listed(composio, deadline, "ada,bob") == ["ca_1"]


def test_unreadable_account_in_a_list_is_left_out_and_told_without_its_content(
    composio: Composio, network: Network, deadline: float, log: Log
) -> None:
    items = [None, account("ca_1", status=["invented-token"]), account("ca_2")]
    network.will(ok({"items": items}))

    assert listed(composio, deadline) == ["ca_2"]
    assert [(line["level"], line["model"]) for line in log.lines] == [
        ("WARNING", "ConnectedAccount")
    ] * 2
    assert "invented-token" not in log.text


# --- what is told ---


def test_neither_log_nor_exception_tells_key_or_user(
    composio: Composio, network: Network, deadline: float, log: Log
) -> None:
    told = ""
    steps: list[Step] = [*NETWORK_FAILURES, refusal(401), refusal(410), httpx.Response(200)]
    for step in steps:
        network.will(*[step] * len(QUESTIONS))
        for call in QUESTIONS:
            with pytest.raises(Unavailable) as caught:
                call(composio, deadline)
            told += "".join(traceback.format_exception(caught.value))

    assert len(network.requests) == 85
    assert API_KEY not in told + log.text
    assert USER not in told + log.text


def test_http_library_does_not_log_the_user_either(
    composio: Composio, network: Network, deadline: float, caplog: pytest.LogCaptureFixture
) -> None:
    # The runtime sets this at the root for `LogLevel: INFO`; httpx then logs each URL.
    caplog.set_level(logging.INFO)
    network.will(ok({"items": []}))

    assert listed(composio, deadline, "user-7") == []

    assert "user-7" not in caplog.text


def test_client_keeps_connections_and_does_not_follow_redirects() -> None:
    with connect(BASE_URL) as http:
        assert str(http.base_url) == f"{BASE_URL}/"
        assert http.follow_redirects is False
        assert vars(vars(http._transport)["make"]())["_pool"]._keepalive_expiry == 600


def test_no_call_is_begun_after_a_slow_look_at_the_api_key(
    composio: Composio, network: Network, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = composio.transport.credentials
    fetch = credentials.api_key

    def slow() -> str:
        clock.forward(10)
        return fetch()

    monkeypatch.setattr(credentials, "api_key", slow)

    answer = composio.create(TARGET, USER, deadline=clock() + 10)

    assert answer.problem == Problem("no time left for a call to Composio")
    assert network.requests == []


ACCOUNT = {"id": "ca_1", "user_id": USER, "auth_config": {"id": "ac_mail"}, "status": "ACTIVE"}


def test_accounts_of_one_auth_config_are_one_call(
    composio: Composio, network: Network, deadline: float
) -> None:
    theirs = ACCOUNT | {"id": "ca_2", "user_id": "mallory"}
    unnamed = {"id": "ca_3", "status": "FAILED"}
    network.will(ok({"items": [ACCOUNT, theirs, unnamed, {"id": 7}], "next_cursor": "more"}))

    found = composio.accounts_of(USER, auth_config_id="ac_mail", deadline=deadline)

    assert [one.id for one in found] == ["ca_1", "ca_3"]
    assert network.queries == [
        {
            "limit": "100",
            "account_type": "ALL",
            "user_ids": USER,
            "auth_config_ids": "ac_mail",
        }
    ]


def test_accounts_by_id_are_only_those_of_the_user(
    composio: Composio, network: Network, deadline: float
) -> None:
    network.will(ok({"items": [ACCOUNT]}), ok({"items": [ACCOUNT | {"user_id": "a,b"}, ACCOUNT]}))

    assert composio.accounts_of(USER, account_ids={"ca_1", "ca_0"}, deadline=deadline)
    found = composio.accounts_of("a,b", account_ids={"ca_1"}, deadline=deadline)

    assert [one.user_id for one in found] == ["a,b"]
    first, second = network.queries
    assert (first["connected_account_ids"], first["user_ids"]) == ("ca_0,ca_1", USER)
    assert "user_ids" not in second


LINK = {
    "link_token": "ln_1",
    "redirect_url": "https://connect.composio.example/link/ln_1",
    "expires_at": "2026-01-01T00:10:00.000Z",
    "connected_account_id": "ca_1",
}


def test_link_is_made_for_one_account_that_comes_back(
    composio: Composio, network: Network, deadline: float
) -> None:
    network.will(httpx.Response(201, json=LINK))

    link = composio.create_link(USER, "ac_mail", "https://api.example/back", deadline=deadline)

    assert (link.redirect_url, link.connected_account_id) == (LINK["redirect_url"], "ca_1")
    assert network.request.url.path.endswith("/api/v3/connected_accounts/link")
    assert json.loads(network.request.content) == {
        "user_id": USER,
        "auth_config_id": "ac_mail",
        "callback_url": "https://api.example/back",
    }


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (httpx.Response(404, json={"error": {"message": "no such auth config"}}), 404),
        (httpx.Response(201, json={}), None),
        (httpx.Response(201, content=b"<html>"), None),
        (httpx.Response(201, json=LINK | {"redirect_url": "javascript:alert(1)"}), None),
        (httpx.Response(201, json=LINK | {"redirect_url": "http://connect.example/"}), None),
        (httpx.Response(201, json=LINK | {"connected_account_id": "a b"}), None),
        (httpx.ReadTimeout("slow"), None),
    ],
)
def test_link_that_cannot_be_used_is_none(
    composio: Composio, network: Network, deadline: float, answer: Step, status: int | None
) -> None:
    network.will(answer)

    with pytest.raises(Unavailable) as caught:
        composio.create_link(USER, "ac_mail", "https://api.example/back", deadline=deadline)

    assert caught.value.problem.status == status
    assert len(network.requests) == 1


@pytest.mark.parametrize(
    ("answer", "completed"),
    [
        (httpx.Response(200, json={"connected_account_id": "ca_1"}), (200, "ca_1")),
        (httpx.Response(200, json={"connected_account": {"id": "ca_1"}}), (200, "ca_1")),
        (httpx.Response(200, json={}), (200, None)),
        (httpx.Response(200, content=b"<html>"), (200, None)),
        (httpx.Response(200, json={"connected_account_id": "a b"}), (200, None)),
        (httpx.Response(400, json={"error": {"message": "no"}}), (400, None)),
        (httpx.Response(404, json={"error": {"message": "no"}}), (404, None)),
        (httpx.Response(400, json={"connected_account_id": "ca_1"}), (None, None)),
        (httpx.Response(404, content=b"<html>"), (None, None)),
        (httpx.ReadTimeout("slow"), (None, None)),
    ],
)
def test_authorisation_is_completed_once_whatever_comes_back(
    composio: Composio,
    network: Network,
    deadline: float,
    answer: Step,
    completed: tuple[int | None, str | None],
) -> None:
    network.will(answer)

    assert composio.complete_auth("session_1", USER, deadline=deadline) == completed
    assert network.request.url.path.endswith("/api/v3.1/connected_accounts/complete_auth")
    assert json.loads(network.request.content) == {"session_uri": "session_1", "user_id": USER}
