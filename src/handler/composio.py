"""Composio's REST API, as far as this project needs it.

It says what came back; what follows from that is decided elsewhere. Facts are from
docs.composio.dev/reference (OpenAPI of September 2026).

Nothing here deletes: DELETE of an instance also deletes the user's connected accounts.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from handler import answers
from handler.events import ConnectedAccount
from handler.paging import MOST_PAGES, Place
from handler.targets import Answer, Kind, Problem, Target
from handler.transport import Transport, Unavailable, items, must_read, read, segment, unavailable

ACCOUNTS = "/api/v3/connected_accounts"
COMPLETE_AUTH = "/api/v3.1/connected_accounts/complete_auth"
INSTANCES = "/api/v3/mcp/servers/{}/instances"
SESSIONS = "/api/v3.1/tool_router/session"
PAGE = 100

MOST_SEARCHED_PAGES = 10
"""Of instances whose ids contain that of the user: where there are more, nobody knows."""


class AccountPage(NamedTuple):
    """One page of a list of connected accounts."""

    place: Place
    accounts: list[ConnectedAccount]
    following: Place | None
    """None at the end, and where the pages repeat."""


class PagesRepeat(Unavailable):
    """The pages of a list come again and again."""

    def __init__(self) -> None:
        super().__init__(Problem("the pages of a list repeat"))


@dataclass(eq=False)
class Composio:
    """The API's verbs; every one takes `deadline`, the Unix time by which it has to return.

    All but `create` raise Unavailable where what they ask for cannot be read, to its end.
    """

    transport: Transport

    def create(self, target: Target, user_id: str, *, deadline: float) -> Answer:
        """Ask for the user's instance, or for one more session; a failure is an answer, too."""
        path, body = INSTANCES.format(segment(target.id)), {"user_id": user_id}
        if target.kind is Kind.SESSION:
            path, body = SESSIONS, target.session_body(user_id)
        try:
            reply = self.transport.send("POST", path, deadline, json=body)
        except Unavailable as nothing:
            return Answer(None, problem=nothing.problem)
        answer = answers.answer(reply.status_code, reply.headers, reply.content, target.kind)
        if answer.record and answer.record.get("instance_id", user_id) != user_id:
            return answer._replace(record=None)
        return answer

    def knows_session(self, session_id: str, *, deadline: float) -> bool:
        """Whether the session exists, by Composio's own word."""
        return self._get_or_none(f"{SESSIONS}/{segment(session_id)}", deadline) is not None

    def find_instance(
        self, server_id: str, user_id: str, *, deadline: float, pages: int = MOST_SEARCHED_PAGES
    ) -> Mapping[str, str] | None:
        """Return the record of the user's instance, or None where the list does not have it."""
        path = INSTANCES.format(segment(server_id))
        # `search` matches parts of ids, so each is compared whole.
        for item in self._numbered_pages(path, deadline, "instances", pages, search=user_id):
            record = read(answers.InstanceRecord, item)
            if record and record.instance_id == user_id:
                return record.model_dump()
        return None

    def get_server(self, server_id: str, *, deadline: float) -> Target:
        """Return an MCP server; `gone` where Composio says that it does not know it."""
        found = self._get_or_none(f"/api/v3/mcp/{segment(server_id)}", deadline)
        if found is None:
            return Target(server_id, frozenset(), gone=True)
        # By the id that was asked for: the vendor may spell its own otherwise.
        return must_read(answers.McpServer, found).value()._replace(id=server_id)

    def list_servers(self, *, deadline: float) -> dict[str, Target]:
        """Return every MCP server of the project by id; what cannot be read is left out."""
        listed = self._numbered_pages("/api/v3/mcp/servers", deadline, "items")
        servers = [found.value() for item in listed if (found := read(answers.McpServer, item))]
        return {server.id: server for server in servers}

    def get_account(self, account_id: str, *, deadline: float) -> ConnectedAccount | None:
        """Return a connected account, or None where Composio says that it does not know it."""
        found = self._get_or_none(f"{ACCOUNTS}/{segment(account_id)}", deadline)
        return None if found is None else must_read(ConnectedAccount, found)

    def find_account(
        self, account_id: str, user_id: str | None, *, deadline: float
    ) -> ConnectedAccount | None:
        """Return a connected account if a list has it, and it is this user's; or None."""
        if user_id and "," in user_id:
            found = self.get_account(account_id, deadline=deadline)
            return found if found and _is_of(user_id, found) else None
        ids = {"user_ids": user_id} if user_id else {}
        for one in self._accounts(deadline, connected_account_ids=account_id, **ids):
            if one.id == account_id and (not user_id or _is_of(user_id, one)):
                return one
        return None

    def toolkits(self, *, deadline: float) -> dict[str, str]:
        """Return the toolkit's name of each auth config of the project."""
        pages = self._pages(answers.AuthConfig, "/api/v3/auth_configs", deadline, Place())
        return {one.id: one.toolkit.slug for _, configs, _ in pages for one in configs}

    def list_accounts(self, user_id: str, *, deadline: float) -> Iterator[ConnectedAccount]:
        """Yield all accounts of one user, in every status."""
        listed = self._accounts(deadline, user_ids=user_id)
        return (one for one in listed if _is_of(user_id, one))

    def active_accounts(
        self, place: Place, *, auth_config_ids: Collection[str] | None = None, deadline: float
    ) -> Iterator[AccountPage]:
        """Yield the pages of all users' active accounts, newest first, from this place on.

        With auth configs, only accounts of these are listed. PagesRepeat is raised when what
        would follow was read before.
        """
        query = {"statuses": "ACTIVE", "order_by": "created_at", "order_direction": "desc"}
        if auth_config_ids is not None:
            if not auth_config_ids:  # Composio would take an empty filter for none
                return iter(())
            query["auth_config_ids"] = ",".join(sorted(auth_config_ids))
        query["account_type"] = "ALL"
        pages = self._pages(ConnectedAccount, ACCOUNTS, deadline, place, **query)
        return (AccountPage(*page) for page in pages)

    def accounts_of(
        self,
        user_id: str,
        *,
        auth_config_id: str = "",
        account_ids: Collection[str] = (),
        deadline: float,
    ) -> list[ConnectedAccount]:
        """Return a user's newest accounts of one auth config, or with these ids: one call."""
        query = {"account_type": "ALL", "user_ids": user_id, "auth_config_ids": auth_config_id}
        if account_ids:
            query["connected_account_ids"] = ",".join(sorted(account_ids))
            # The ids say whose they are, and each account does itself.
            query["user_ids"] = "" if "," in user_id else user_id
        sent = {name: value for name, value in query.items() if value}
        page = self.transport.get(ACCOUNTS, deadline, limit=PAGE, **sent)
        found = [read(ConnectedAccount, item) for item in items(page, "items")]
        return [one for one in found if one and _is_of(user_id, one)]

    def create_link(
        self, user_id: str, auth_config_id: str, callback_url: str, *, deadline: float
    ) -> answers.ConnectLink:
        """Make a link where the user connects one account, and comes back to the callback URL.

        It makes a pending account each time: for the caller to bound. A problem with a status
        says that none was made.
        """
        body = {"user_id": user_id, "auth_config_id": auth_config_id, "callback_url": callback_url}
        response = self.transport.send("POST", f"{ACCOUNTS}/link", deadline, json=body)
        if not response.is_success:
            raise unavailable(response)
        return must_read(answers.ConnectLink, answers.read_object(response.content))

    def complete_auth(
        self, session_uri: str, user_id: str, *, deadline: float
    ) -> tuple[int | None, str | None]:
        """Say at Composio that the user came back in the browser that is this user's.

        Never repeated: the session URI is redeemed before its user is compared
        (docs.composio.dev, "Callback identity verification"). Returned are the status, None
        without an answer or with one that is not of Composio's own form, and the account that is
        connected, if one is.
        """
        body = {"session_uri": session_uri, "user_id": user_id}
        try:
            response = self.transport.send("POST", COMPLETE_AUTH, deadline, json=body)
        except Unavailable:
            return None, None
        if response.is_success:
            done = read(answers.CompletedAuth, answers.read_object(response.content))
            return response.status_code, done.account_id if done else None
        problem = unavailable(response).problem
        return (problem.status if problem.enveloped else None), None

    def _get_or_none(self, path: str, deadline: float) -> dict[str, Any] | None:
        try:
            return self.transport.get(path, deadline)
        except Unavailable as nothing:
            if nothing.problem.status == 404 and nothing.problem.enveloped:
                return None
            raise

    def _accounts(self, deadline: float, **query: str) -> Iterator[ConnectedAccount]:
        query["account_type"] = "ALL"
        for _, accounts, _ in self._pages(ConnectedAccount, ACCOUNTS, deadline, Place(), **query):
            yield from accounts

    def _pages[Model: (ConnectedAccount, answers.AuthConfig)](
        self, model: type[Model], path: str, deadline: float, place: Place, **query: str
    ) -> Iterator[tuple[Place, list[Model], Place | None]]:
        """Yield each page with its place and the next; what cannot be read is left out."""
        while True:
            at = {"cursor": place.cursor} if place.cursor else {}
            page = self.transport.get(path, deadline, limit=PAGE, **at, **query)
            found = [one for item in items(page, "items") if (one := read(model, item))]
            cursor = str(page.get("next_cursor") or "")
            following = place.after(cursor, [one.id for one in found]) if cursor else None
            yield place, found, following
            if following is None and cursor:
                raise PagesRepeat
            if following is None:
                return
            place = following

    def _numbered_pages(
        self, path: str, deadline: float, name: str, most: int = MOST_PAGES, **query: str
    ) -> Iterator[object]:
        number, total = 1, 1
        while number <= total:
            if number > most:
                raise Unavailable(Problem("the list has too many pages"))
            page = self.transport.get(path, deadline, page_no=number, limit=PAGE, **query)
            yield from items(page, name)
            total = page.get("total_pages") or 1
            if not isinstance(total, int):
                raise Unavailable(Problem("total_pages is no number"))
            number += 1


def _is_of(user_id: str, account: ConnectedAccount) -> bool:
    """Whether an account that was listed for the user is the user's.

    Composio's own clients join `user_ids` with commas, so of a user id with a comma in it only
    those accounts are that name this user themselves.
    """
    return account.user_id == user_id or (account.user_id is None and "," not in user_id)
