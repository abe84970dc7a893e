"""Composio's REST API, as far as this project needs it.

It says what came back; what follows from that is decided elsewhere. Facts are from
docs.composio.dev/reference (OpenAPI of September 2026).

Nothing here deletes: DELETE of an instance also deletes the user's connected accounts.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from handler import answers
from handler.events import ConnectedAccount
from handler.instances import Answer, Problem, Server
from handler.telemetry import logger
from handler.transport import Transport, Unavailable

PAGE = 100


class Composio:
    """The API's verbs; every one takes `deadline`, the Unix time by which it has to return."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_instance(self, server_id: str, user_id: str, *, deadline: float) -> Answer:
        """Ask for the user's instance; what the network does is an answer too, never raised."""
        try:
            path = f"/api/v3/mcp/servers/{_segment(server_id)}/instances"
            response = self._transport.send("POST", path, deadline, body={"user_id": user_id})
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
            if nothing.problem.status == 404:
                return Server(server_id, frozenset(), gone=True)
            raise
        # By the id that was asked for: the vendor may spell its own otherwise.
        return replace(_must_read(answers.McpServer, found).value(), id=server_id)

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
            if nothing.problem.status == 404:
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
        cursor: str | None = ""
        while cursor is not None:
            accounts, cursor = self._accounts(cursor, deadline, user_ids=user_id)
            for account in accounts:
                if (account.user_id or ("," not in user_id and user_id)) == user_id:
                    yield account

    def active_accounts(
        self, cursor: str, *, auth_config_ids: Collection[str] = (), deadline: float
    ) -> tuple[list[ConnectedAccount], str | None]:
        """Return a page of all users' active accounts, newest first, and the next one's cursor.

        Args:
            cursor: "" for the first page.
            auth_config_ids: Only accounts of these; of all where there are none.
            deadline: The Unix time to be back at.

        Raises:
            Unavailable: The page could not be read.
        """
        query = {"auth_config_ids": ",".join(sorted(auth_config_ids))} if auth_config_ids else {}
        order = {"order_by": "created_at", "order_direction": "desc"}
        return self._accounts(cursor, deadline, statuses="ACTIVE", **order, **query)

    def _accounts(
        self, cursor: str, deadline: float, **query: str
    ) -> tuple[list[ConnectedAccount], str | None]:
        place = {"cursor": cursor} if cursor else {}
        page = self._get(
            "/api/v3/connected_accounts",
            deadline,
            account_type="ALL",
            limit=PAGE,
            **place,
            **query,
        )
        read = [_read(ConnectedAccount, item) for item in _items(page, "items")]
        return [account for account in read if account], str(page.get("next_cursor") or "") or None

    def _numbered_pages(
        self, path: str, deadline: float, items: str, **query: str
    ) -> Iterator[object]:
        number, total = 1, 1
        while number <= total:
            page = self._get(path, deadline, page_no=number, limit=PAGE, **query)
            yield from _items(page, items)
            total = page.get("total_pages") or 1
            if not isinstance(total, int):
                raise Unavailable(Problem("total_pages is no number"))
            number += 1

    def _get(self, path: str, deadline: float, **query: object) -> dict[str, Any]:
        response = self._transport.send("GET", path, deadline, query=query)
        found = answers.read_object(response.content) if response.is_success else None
        if found is None:
            said = answers.problem(response.status_code, response.headers, response.content)
            raise Unavailable(said)
        return found


def _segment(identifier: str) -> str:
    if identifier in {"", ".", ".."}:
        raise Unavailable(Problem("not an id"))
    return quote(identifier, safe="")


def _items(page: Mapping[str, Any], name: str) -> list[object]:
    items = page.get(name) or []
    if not isinstance(items, list):
        raise Unavailable(Problem(f"{name} is no list"))
    return items


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
