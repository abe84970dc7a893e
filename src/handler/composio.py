"""Composio's REST API, as far as this project needs it.

The only module that speaks HTTP. It says what came back; what follows from that is decided
elsewhere. Facts are from docs.composio.dev/reference (OpenAPI of September 2026).

Nothing here deletes: DELETE of an instance also deletes the user's connected accounts.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from handler import answers
from handler.credentials import Credentials, SecretUnusable
from handler.decisions import Answer, Problem, Server
from handler.events import ConnectedAccount
from handler.telemetry import Metric, count, logger

CONNECT_SECONDS = 2.0
READ_SECONDS = 6.0
LEAST_SECONDS = 1.0
"""With less time left than this, no call is begun."""

KEEPALIVE_SECONDS = 600.0
PAGE = 100


class Unavailable(Exception):
    """A question got no usable answer; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def connect(base_url: str) -> httpx.Client:
    """Return a client that keeps its connections between invocations, and never redirects."""
    limits = httpx.Limits(max_connections=10, keepalive_expiry=KEEPALIVE_SECONDS)
    return httpx.Client(base_url=base_url, limits=limits, follow_redirects=False)


class Composio:
    """The API behind `http`; `clock` is Unix seconds.

    Every method takes `deadline`, the Unix time by which it has to return.
    """

    def __init__(
        self,
        http: httpx.Client,
        credentials: Credentials,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._credentials = credentials
        self._clock = clock

    def create_instance(self, server_id: str, user_id: str, *, deadline: float) -> Answer:
        """Ask for the user's instance; what the network does is an answer too, never raised."""
        path = f"/api/v3/mcp/servers/{_segment(server_id)}/instances"
        try:
            response = self._send("POST", path, deadline, body={"user_id": user_id})
        except Unavailable as nothing:
            return Answer(None, problem=nothing.problem)
        return answers.answer(response.status_code, response.headers, response.content)

    def find_instance(
        self, server_id: str, user_id: str, *, deadline: float
    ) -> Mapping[str, str] | None:
        """Return the record of the user's instance, or None where the list does not have it.

        `search` matches parts of ids, so each id is compared whole.

        Raises:
            Unavailable: The list could not be read.
        """
        path = f"/api/v3/mcp/servers/{_segment(server_id)}/instances"
        for item in self._numbered_pages(path, deadline, "instances", search=user_id):
            record = _read(answers.InstanceRecord, item)
            if record and record.instance_id == user_id:
                return record.model_dump()
        return None

    def get_server(self, server_id: str, *, deadline: float) -> Server:
        """Return an MCP server; `gone` where Composio does not know it.

        Raises:
            Unavailable: It could not be read.
        """
        try:
            found = self._get(f"/api/v3/mcp/{_segment(server_id)}", deadline)
        except Unavailable as nothing:
            if nothing.problem.status == httpx.codes.NOT_FOUND:
                return Server(server_id, frozenset(), gone=True)
            raise
        return _must_read(answers.McpServer, found).value()

    def list_servers(self, *, deadline: float) -> dict[str, Server]:
        """Return every MCP server of the project by id.

        Raises:
            Unavailable: The list could not be read to its end.
        """
        items = self._numbered_pages("/api/v3/mcp/servers", deadline, "items")
        servers = [_must_read(answers.McpServer, item).value() for item in items]
        return {server.id: server for server in servers}

    def get_account(self, account_id: str, *, deadline: float) -> ConnectedAccount | None:
        """Return a connected account, or None where Composio does not know it.

        Raises:
            Unavailable: It could not be read.
        """
        try:
            found = self._get(f"/api/v3/connected_accounts/{_segment(account_id)}", deadline)
        except Unavailable as nothing:
            if nothing.problem.status == httpx.codes.NOT_FOUND:
                return None
            raise
        return _must_read(ConnectedAccount, found)

    def list_accounts(self, user_id: str, *, deadline: float) -> Iterator[ConnectedAccount]:
        """Yield all accounts of one user, in every status.

        Composio's own clients join `user_ids` with commas, so of a user id with a comma in it
        only those are yielded that name this user themselves.

        Raises:
            Unavailable: The list could not be read to its end.
        """
        query: dict[str, Any] = {"user_ids": user_id, "account_type": "ALL", "limit": PAGE}
        while True:
            page = self._get("/api/v3/connected_accounts", deadline, **query)
            for item in page.get("items") or ():
                account = _read(ConnectedAccount, item)
                if account and (account.user_id or ("," not in user_id and user_id)) == user_id:
                    yield account
            query["cursor"] = page.get("next_cursor")
            if not query["cursor"]:
                return

    def _numbered_pages(
        self, path: str, deadline: float, items: str, **query: str
    ) -> Iterator[object]:
        number, total = 1, 1
        while number <= total:
            page = self._get(path, deadline, page_no=number, limit=PAGE, **query)
            yield from page.get(items) or ()
            total = int(page.get("total_pages") or 1)
            number += 1

    def _get(self, path: str, deadline: float, **query: object) -> dict[str, Any]:
        response = self._send("GET", path, deadline, query=query)
        found = answers.read_object(response.content) if response.is_success else None
        if found is None:
            said = answers.problem(response.status_code, response.headers, response.content)
            raise Unavailable(said)
        return found

    def _send(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        query: Mapping[str, Any] | None = None,
        body: object = None,
    ) -> httpx.Response:
        """Send, and send once more where the API key has changed since it was fetched."""
        request = partial(self._send_once, method, path, deadline, query=query, body=body)
        response = request()
        if response.status_code == httpx.codes.UNAUTHORIZED and self._credentials.refresh():
            response = request()
        if response.status_code == httpx.codes.UNAUTHORIZED:
            count(Metric.COMPOSIO_KEY_REJECTED)
            logger.error("Composio rejects the API key")
        gone = response.status_code == httpx.codes.GONE
        if gone or "deprecation" in response.headers or "sunset" in response.headers:
            count(Metric.COMPOSIO_DEPRECATED)
            logger.warning("Composio calls an endpoint deprecated", method=method, gone=gone)
        return response

    def _send_once(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        query: Mapping[str, Any] | None,
        body: object,
    ) -> httpx.Response:
        left = deadline - self._clock()
        if left < LEAST_SECONDS:
            raise Unavailable(Problem("no time left for a call to Composio"))
        try:
            return self._http.request(
                method,
                path,
                params=query,
                json=body,
                headers={"x-api-key": self._credentials.api_key()},
                timeout=httpx.Timeout(min(READ_SECONDS, left), connect=min(CONNECT_SECONDS, left)),
            )
        except httpx.HTTPError as error:
            # The exception's text may hold the URL, and so the user.
            raise Unavailable(Problem(f"no answer: {type(error).__name__}")) from None
        except SecretUnusable as error:
            raise Unavailable(Problem(str(error))) from None


def _segment(identifier: str) -> str:
    return quote(identifier, safe="")


def _read[Model: BaseModel](model: type[Model], item: object) -> Model | None:
    try:
        return model.model_validate(item)
    except ValidationError:
        logger.warning("an item of a list at Composio is not readable", model=model.__name__)
        return None


def _must_read[Model: BaseModel](model: type[Model], item: object) -> Model:
    found = _read(model, item)
    if found is None:
        raise Unavailable(Problem(f"the answer is not readable as {model.__name__}"))
    return found
