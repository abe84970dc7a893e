"""Composio's REST API, as far as this project needs it.

It says what came back; what follows from that is decided elsewhere. Facts are from
docs.composio.dev/reference (OpenAPI of September 2026).

Nothing here deletes: DELETE of an instance also deletes the user's connected accounts.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from handler import answers
from handler.events import ConnectedAccount
from handler.instances import Answer, Problem, Server
from handler.transport import Transport, Unavailable, items, must_read, read, segment

PAGE = 100


class Composio:
    """The API's verbs; every one takes `deadline`, the Unix time by which it has to return.

    All but `create_instance` raise Unavailable where what they ask for cannot be read, to its end.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_instance(self, server_id: str, user_id: str, *, deadline: float) -> Answer:
        """Ask for the user's instance; what the network does is an answer too, never raised."""
        try:
            path = f"/api/v3/mcp/servers/{segment(server_id)}/instances"
            response = self._transport.send("POST", path, deadline, body={"user_id": user_id})
        except Unavailable as nothing:
            return Answer(None, problem=nothing.problem)
        return answers.answer(response.status_code, response.headers, response.content)

    def find_instance(
        self, server_id: str, user_id: str, *, deadline: float
    ) -> Mapping[str, str] | None:
        """Return the record of the user's instance, or None where the list does not have it.

        `search` matches parts of ids, so each id is compared whole.
        """
        path = f"/api/v3/mcp/servers/{segment(server_id)}/instances"
        for item in self._numbered_pages(path, deadline, "instances", search=user_id):
            record = read(answers.InstanceRecord, item)
            if record and record.instance_id == user_id:
                return record.model_dump()
        return None

    def get_server(self, server_id: str, *, deadline: float) -> Server:
        """Return an MCP server; `gone` where Composio does not know it."""
        found = self._get_or_none(f"/api/v3/mcp/{segment(server_id)}", deadline)
        if found is None:
            return Server(server_id, frozenset(), gone=True)
        # By the id that was asked for: the vendor may spell its own otherwise.
        return replace(must_read(answers.McpServer, found).value(), id=server_id)

    def list_servers(self, *, deadline: float) -> dict[str, Server]:
        """Return every MCP server of the project by id."""
        listed = self._numbered_pages("/api/v3/mcp/servers", deadline, "items")
        servers = [must_read(answers.McpServer, item).value() for item in listed]
        return {server.id: server for server in servers}

    def get_account(self, account_id: str, *, deadline: float) -> ConnectedAccount | None:
        """Return a connected account, or None where Composio does not know it."""
        found = self._get_or_none(f"/api/v3/connected_accounts/{segment(account_id)}", deadline)
        return None if found is None else must_read(ConnectedAccount, found)

    def find_account(
        self, account_id: str, user_id: str, *, deadline: float
    ) -> ConnectedAccount | None:
        """Return a connected account if it is this user's, or None."""
        if "," in user_id:
            found = self.get_account(account_id, deadline=deadline)
            return found if found and found.user_id == user_id else None
        ids = {"user_ids": user_id, "connected_account_ids": account_id}
        accounts, _ = self._accounts("", deadline, **ids)
        theirs = [one for one in accounts if one.id == account_id]
        return next((one for one in theirs if one.user_id in {None, user_id}), None)

    def toolkits(self, *, deadline: float) -> dict[str, str]:
        """Return the toolkit's name of each auth config of the project."""
        names: dict[str, str] = {}
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            page = self._transport.get("/api/v3/auth_configs", deadline, **query)
            configs = [read(answers.AuthConfig, item) for item in items(page, "items")]
            names |= {config.id: config.toolkit.slug for config in configs if config}
            if not page.get("next_cursor"):
                return names
            query["cursor"] = page["next_cursor"]

    def list_accounts(self, user_id: str, *, deadline: float) -> Iterator[ConnectedAccount]:
        """Yield all accounts of one user, in every status.

        Composio's own clients join `user_ids` with commas, so of a user id with a comma in it
        only those are yielded that name this user themselves.
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
        """
        query = {"auth_config_ids": ",".join(sorted(auth_config_ids))} if auth_config_ids else {}
        order = {"order_by": "created_at", "order_direction": "desc"}
        return self._accounts(cursor, deadline, statuses="ACTIVE", **order, **query)

    def _get_or_none(self, path: str, deadline: float) -> dict[str, Any] | None:
        try:
            return self._transport.get(path, deadline)
        except Unavailable as nothing:
            if nothing.problem.status == 404:
                return None
            raise

    def _accounts(
        self, cursor: str, deadline: float, **query: str
    ) -> tuple[list[ConnectedAccount], str | None]:
        place = {"cursor": cursor} if cursor else {}
        page = self._transport.get(
            "/api/v3/connected_accounts",
            deadline,
            account_type="ALL",
            limit=PAGE,
            **place,
            **query,
        )
        found = [read(ConnectedAccount, item) for item in items(page, "items")]
        return [account for account in found if account], str(page.get("next_cursor") or "") or None

    def _numbered_pages(
        self, path: str, deadline: float, name: str, **query: str
    ) -> Iterator[object]:
        number, total = 1, 1
        while number <= total:
            page = self._transport.get(path, deadline, page_no=number, limit=PAGE, **query)
            yield from items(page, name)
            total = page.get("total_pages") or 1
            if not isinstance(total, int):
                raise Unavailable(Problem("total_pages is no number"))
            number += 1
