"""The client of Composio's API over a network that answers from a script."""

from collections.abc import Callable
from typing import cast

import httpx
import pytest
from mypy_boto3_secretsmanager import SecretsManagerClient

from handler.composio import Composio
from handler.credentials import Credentials
from handler.targets import Answer, Problem, Target
from handler.transport import Transport, Unavailable
from tests.doubles import Clock, FakeSecretsManager

BASE_URL = "https://composio.example/base"
API_KEY = "ak_invented"
USER = "ada+lovelace@example.com"
SERVER = "srv_1"
TARGET = Target(SERVER, frozenset())

RECORD = {
    "id": "6c2bd2bd-0000-4000-8000-000000000001",
    "instance_id": USER,
    "mcp_server_id": SERVER,
    "created_at": "2026-01-15T10:30:00.000Z",
    "updated_at": "2026-01-15T10:30:00.000Z",
}
SERVER_BODY = {"id": SERVER, "name": "support", "auth_config_ids": ["ac_mail"]}
ANYTHING = {"id": "ca_1", "auth_config_ids": [], "items": [], "instances": []}
"""Answers every question."""

NETWORK_FAILURES = [
    httpx.ConnectError(f"for {USER}"),
    httpx.ReadTimeout(f"for {USER}"),
    httpx.PoolTimeout(f"for {USER}"),
    httpx.RemoteProtocolError(f"for {USER}"),
    httpx.ProxyError(f"for {USER}"),
    httpx.UnsupportedProtocol(f"for {USER}"),
    httpx.DecodingError(f"for {USER}"),
    httpx.TooManyRedirects(f"for {USER}"),
]

type Step = httpx.Response | Exception | Callable[[], httpx.Response]


class ScriptedComposio:
    """Answers in the order of the script, and remembers what was asked."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.script: list[Step] = []
        self.requests: list[httpx.Request] = []
        self.store = FakeSecretsManager()
        self.store.keep(API_KEY)
        secrets = cast("SecretsManagerClient", self.store)
        self.credentials = Credentials(secrets, "composio", clock=clock)
        http = httpx.Client(base_url=BASE_URL, transport=httpx.MockTransport(self._answer))
        self.client = Composio(Transport(lambda: http, self.credentials, clock=clock))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, httpx.Response) else step()

    def will(self, *steps: Step) -> None:
        """Answer so from now on, once each."""
        self.script = list(steps)

    def use_key_for_a_while(self) -> None:
        """Fetch the API key a minute ago, so that a rejection may fetch it again."""
        self.clock.forward(-60)
        self.credentials.api_key()
        self.clock.forward(60)

    @property
    def deadline(self) -> float:
        """Twenty seconds from now."""
        return self.clock() + 20

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

    def create(self, *, seconds: float = 20) -> Answer:
        return self.client.create(TARGET, USER, deadline=self.clock() + seconds)

    def accounts(self, user_id: str = USER) -> list[str]:
        """Return the ids of the user's accounts."""
        return [one.id for one in self.client.list_accounts(user_id, deadline=self.deadline)]

    def problem(self, call: "Call", *, seconds: float = 20) -> Problem:
        """Return why this call gets no usable answer."""
        with pytest.raises(Unavailable) as caught:
            call(self.client, self.clock() + seconds)
        return caught.value.problem


def ok(content: object, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=content, headers=headers)


def refusal(status: int, **headers: str) -> httpx.Response:
    error = {"message": f"refused with {status}", "slug": f"Slug_{status}", "status": status}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"error": error}, headers=named)


def find_instance(composio: Composio, deadline: float) -> object:
    return composio.find_instance(SERVER, USER, deadline=deadline)


def get_server(composio: Composio, deadline: float) -> object:
    return composio.get_server(SERVER, deadline=deadline)


def list_servers(composio: Composio, deadline: float) -> object:
    return composio.list_servers(deadline=deadline)


def get_account(composio: Composio, deadline: float) -> object:
    return composio.get_account("ca_1", deadline=deadline)


def list_accounts(composio: Composio, deadline: float) -> object:
    return list(composio.list_accounts(USER, deadline=deadline))


type Call = Callable[[Composio, float], object]

LISTS: list[Call] = [find_instance, list_servers, list_accounts]
QUESTIONS: list[Call] = [*LISTS, get_server, get_account]
