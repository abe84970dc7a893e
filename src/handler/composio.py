"""Composio's REST API, as far as this project needs it.

It says what came back; what follows from that is decided elsewhere. Facts are from
docs.composio.dev/reference (OpenAPI of September 2026).

Nothing here deletes: DELETE of an instance also deletes the user's connected accounts.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from handler import answers
from handler.events import ConnectedAccount
from handler.transport import Transport, Unavailable, items, must_read, read, segment
from handler.values import Answer, Problem, Server

ACCOUNTS = "/api/v3/connected_accounts"
PAGE = 100


@dataclass(eq=False)
class Composio:
    """The API's verbs; every one takes `deadline`, the Unix time by which it has to return.

    All but `create_instance` raise Unavailable where what they ask for cannot be read, to its end.
    """

    transport: Transport

    def create_instance(self, server_id: str, user_id: str, *, deadline: float) -> Answer:
        """Ask for the user's instance; what the network does is an answer too, never raised."""
        try:
            path = f"/api/v3/mcp/servers/{segment(server_id)}/instances"
            response = self.transport.send("POST", path, deadline, json={"user_id": user_id})
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
        return must_read(answers.McpServer, found).value()._replace(id=server_id)

    def list_servers(self, *, deadline: float) -> dict[str, Server]:
        """Return every MCP server of the project by id."""
        listed = self._numbered_pages("/api/v3/mcp/servers", deadline, "items")
        servers = [must_read(answers.McpServer, item).value() for item in listed]
        return {server.id: server for server in servers}

    def get_account(self, account_id: str, *, deadline: float) -> ConnectedAccount | None:
        """Return a connected account, or None where Composio does not know it."""
        found = self._get_or_none(f"{ACCOUNTS}/{segment(account_id)}", deadline)
        return None if found is None else must_read(ConnectedAccount, found)

    def find_account(
        self, account_id: str, user_id: str, *, deadline: float
    ) -> ConnectedAccount | None:
        """Return a connected account if it is this user's, or None."""
        if "," in user_id:
            found = self.get_account(account_id, deadline=deadline)
            return found if found and found.user_id == user_id else None
        ids = {"user_ids": user_id, "connected_account_ids": account_id}
        theirs = (one for _, one in self._accounts(deadline, **ids) if one.id == account_id)
        return next((one for one in theirs if one.user_id in {None, user_id}), None)

    def toolkits(self, *, deadline: float) -> dict[str, str]:
        """Return the toolkit's name of each auth config of the project."""
        listed = self._listed(answers.AuthConfig, "/api/v3/auth_configs", deadline)
        return {config.id: config.toolkit.slug for _, config in listed}

    def list_accounts(self, user_id: str, *, deadline: float) -> Iterator[ConnectedAccount]:
        """Yield all accounts of one user, in every status.

        Composio's own clients join `user_ids` with commas, so of a user id with a comma in it
        only those are yielded that name this user themselves.
        """
        for _, account in self._accounts(deadline, user_ids=user_id):
            if (account.user_id or ("," not in user_id and user_id)) == user_id:
                yield account

    def active_accounts(
        self, cursor: str, *, auth_config_ids: Collection[str] | None = None, deadline: float
    ) -> Iterator[tuple[str, ConnectedAccount]]:
        """Yield all users' active accounts, newest first, each with the cursor of its page.

        The cursor given is that of the page to begin with, "" for the first; with auth configs,
        only accounts of these are yielded.
        """
        query = {"statuses": "ACTIVE", "order_by": "created_at", "order_direction": "desc"}
        if auth_config_ids is not None:
            if not auth_config_ids:  # Composio would take an empty filter for none
                return iter(())
            query["auth_config_ids"] = ",".join(sorted(auth_config_ids))
        return self._accounts(deadline, cursor, **query)

    def _get_or_none(self, path: str, deadline: float) -> dict[str, Any] | None:
        try:
            return self.transport.get(path, deadline)
        except Unavailable as nothing:
            if nothing.problem.status == 404:
                return None
            raise

    def _accounts(
        self, deadline: float, cursor: str = "", **query: str
    ) -> Iterator[tuple[str, ConnectedAccount]]:
        query["account_type"] = "ALL"
        return self._listed(ConnectedAccount, ACCOUNTS, deadline, cursor, **query)

    def _listed[Model: BaseModel](
        self, model: type[Model], path: str, deadline: float, cursor: str = "", **query: str
    ) -> Iterator[tuple[str, Model]]:
        """Yield (cursor of its page, item) from a page on; what cannot be read is left out."""
        while True:
            place = {"cursor": cursor} if cursor else {}
            page = self.transport.get(path, deadline, limit=PAGE, **place, **query)
            for item in items(page, "items"):
                if found := read(model, item):
                    yield cursor, found
            cursor = str(page.get("next_cursor") or "")
            if not cursor:
                return

    def _numbered_pages(
        self, path: str, deadline: float, name: str, **query: str
    ) -> Iterator[object]:
        number, total = 1, 1
        while number <= total:
            page = self.transport.get(path, deadline, page_no=number, limit=PAGE, **query)
            yield from items(page, name)
            total = page.get("total_pages") or 1
            if not isinstance(total, int):
                raise Unavailable(Problem("total_pages is no number"))
            number += 1
