"""`/users/{user_id}`: what is known of a user, for the application's own "is it ready?".

API Gateway lets nobody in here whom IAM does not know.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from handler.catalog import Catalog
from handler.composio import Composio
from handler.decisions import missing
from handler.events import MAX_USER_ID_BYTES, usable
from handler.fact_table import Facts
from handler.provisioning import Provisioning
from handler.requests import Refused, Request, Response, Routes
from handler.transport import Unavailable
from handler.urls import endpoint
from handler.user_table import UserTable
from handler.values import Instance, Server, Status

TOLD_OF_ACCOUNTS = ("id", "auth_config_id", "status", "is_disabled", "updated_at")


@dataclass(eq=False)
class Users:
    """Answers for one user at a time; `clock` is Unix seconds."""

    user_table: UserTable
    catalog: Catalog
    composio: Composio
    provisioning: Provisioning
    clock: Callable[[], float]

    @property
    def routes(self) -> Routes:
        """What is answered here."""
        return {
            ("GET", "/users/{user_id}"): self.show,
            ("POST", "/users/{user_id}/refresh"): self.refresh,
        }

    def show(self, request: Request, _: float) -> Response:
        """Return accounts and instances: one DynamoDB query, the catalog is in memory.

        Raises:
            Refused: The user id is not usable, or nothing is known of the user.
        """
        shown = self._status(_user_id(request))
        tag = f'"{hashlib.sha256(json.dumps(shown, default=str).encode()).hexdigest()[:32]}"'
        headers = {"etag": tag, "cache-control": "private, no-cache"}
        if tag in request.headers.get("if-none-match", ()):
            return Response(304, "", headers)
        return Response(200, shown, headers)

    def refresh(self, request: Request, deadline: float) -> Response:
        """Read the user's accounts at Composio now, take each like an event, and return all.

        Raises:
            Refused: The user id is not usable, Composio does not answer, or it knows nobody.
        """
        user_id, began = _user_id(request), self.clock()
        try:
            there = list(self.composio.list_accounts(user_id, deadline=deadline))
        except Unavailable as nothing:
            raise Refused(503, f"Composio: {nothing.problem.message}") from None
        for account in there:
            if fact := account.fact(user_id):
                self.provisioning.handle_fact(fact, read_at=began, deadline=deadline)
        return Response(200, self._status(user_id))

    def _status(self, user_id: str) -> dict[str, Any]:
        facts, instances = self.user_table.user(user_id)
        if not facts.accounts and not instances:
            raise Refused(404, "nothing is known of this user")
        return status(user_id, facts, instances, self.catalog.known().servers)


def status(
    user_id: str, facts: Facts, instances: Mapping[str, Instance], servers: Iterable[Server]
) -> dict[str, Any]:
    """Return what is told of a user; of the servers only those that an account matters to."""
    known = {account.auth_config_id for account in facts.accounts}
    return {
        "user_id": user_id,
        "accounts": [
            {name: getattr(account, name) for name in TOLD_OF_ACCOUNTS}
            for account in facts.accounts
        ],
        "servers": [
            server_status(one, facts, instances.get(one.id))
            for one in servers
            if one.required & known
        ],
    }


def server_status(server: Server, facts: Facts, instance: Instance | None) -> dict[str, Any]:
    """Return what is told of a user's instance of one MCP server."""
    return {
        "server_id": server.id,
        "status": instance.status if instance else Status.WAITING,
        "missing": sorted(missing(server.required, facts.active)),
        "attempts": instance.attempts if instance else 0,
        "next_attempt_at": instance.due_at if instance else None,
        "last_error": instance.last_error if instance else None,
        "endpoint": instance and _endpoint(server, instance),
        "instance": instance.record if instance else None,
    }


def _endpoint(server: Server, instance: Instance) -> dict[str, str] | None:
    url = server.url or instance.url
    return endpoint(url, instance.user_id) if url and instance.status is Status.READY else None


def _user_id(request: Request) -> str:
    # A REST API hands the path on as it was sent (seen in its events: aws-sam-cli issue 771).
    # What is not UTF-8 becomes a lone surrogate, which no user id has.
    user_id = unquote(request.path.get("user_id", ""), errors="surrogateescape")
    if not usable(user_id):
        raise Refused(400, f"a user id is 1 to {MAX_USER_ID_BYTES} bytes")
    return user_id
