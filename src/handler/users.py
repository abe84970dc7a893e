"""`/users/{user_id}`: what is known of a user, for the application's own "is it ready?".

API Gateway admits only callers whom IAM allows to call it.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from handler.account_table import Facts
from handler.catalog import Catalog
from handler.composio import Composio
from handler.decisions import missing
from handler.events import MAX_USER_ID_BYTES, usable
from handler.isolation import Isolation
from handler.provisioning import Provisioning
from handler.requests import Refused, Request, Response, Routes
from handler.target_table import TargetTable
from handler.targets import Kind, Status, Target, TargetId, TargetRow
from handler.transport import Unavailable
from handler.urls import endpoint

TOLD_OF_ACCOUNTS = ("id", "auth_config_id", "status", "is_disabled", "updated_at")


@dataclass(eq=False)
class Users:
    """Answers for one user at a time; `clock` is Unix seconds."""

    target_table: TargetTable
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

    def show(self, request: Request, deadline: float) -> Response:
        """Return accounts and targets: one DynamoDB query, the catalog is in memory.

        A user of whom nothing is known yet has no accounts, and every target is waiting.

        Raises:
            Refused: The user id is not usable, or no MCP server could be read yet.
        """
        shown = self._status(user_id_of(request), deadline)
        tag = f'"{hashlib.sha256(json.dumps(shown, default=str).encode()).hexdigest()[:32]}"'
        headers = {"etag": tag, "cache-control": "private, no-cache"}
        if tag in request.headers.get("if-none-match", ()):
            return Response(304, "", headers)
        return Response(200, shown, headers)

    def refresh(self, request: Request, deadline: float) -> Response:
        """Read the user's accounts at Composio now, take each like an event, and return all.

        A session that Composio no longer knows is made anew.

        Raises:
            Refused: The user id is not usable, or Composio does not answer.
            Exception: The first that stopped an account or a session, after all the others.
        """
        user_id, began = user_id_of(request), self.clock()
        try:
            there = list(self.composio.list_accounts(user_id, deadline=deadline))
            gone = self._gone(user_id, deadline)
        except Unavailable as nothing:
            raise Refused(503, f"Composio: {nothing.problem.message}") from None
        handle, now, isolation = self.provisioning.handle_fact, self.clock(), Isolation()
        for account in there:
            if fact := account.fact(user_id):
                with isolation:
                    handle(fact, read_at=began, deadline=deadline, began=now)
        for row in gone:
            with isolation:
                self.target_table.renew(row, now=int(began))
                self.provisioning.resume(user_id, row.target, deadline=deadline)
        isolation.end()
        return Response(200, self._status(user_id, deadline))

    def _gone(self, user_id: str, deadline: float) -> list[TargetRow]:
        """Return the ready sessions that Composio does not know, by its own word."""
        return [
            row
            for row in self.target_table.user(user_id)[1].values()
            if row.target.kind is Kind.SESSION
            and row.status is Status.READY
            and row.record
            and not self.composio.knows_session(row.record["session_id"], deadline=deadline)
        ]

    def _status(self, user_id: str, deadline: float) -> dict[str, Any]:
        facts, rows = self.target_table.user(user_id)
        view = self.catalog.known()
        if not (view.targets or view.up_to_date):  # only before the first sweep has ended
            view = self.catalog.sync(deadline=deadline)
            if not (view.targets or view.up_to_date):
                raise Refused(503, "the MCP servers could not be read at Composio yet")
        return status(user_id, facts, rows, view.targets)


def status(
    user_id: str, facts: Facts, rows: Mapping[TargetId, TargetRow], targets: Iterable[Target]
) -> dict[str, Any]:
    """Return what is told of a user: the accounts, and how far each of the targets is."""
    return {
        "user_id": user_id,
        "accounts": [
            {name: getattr(account, name) for name in TOLD_OF_ACCOUNTS}
            for account in facts.accounts
        ],
        "targets": [target_status(one, facts, rows.get(one.key)) for one in targets],
    }


def named(
    auth_config_ids: Iterable[str], toolkits: Mapping[str, str]
) -> list[dict[str, str | None]]:
    """Return what is told of auth configs that a user has no active account for.

    The toolkit is what people call it, such as `slack`; None where Composio has not said it.
    """
    return [
        {"auth_config_id": one, "toolkit": toolkits.get(one)} for one in sorted(auth_config_ids)
    ]


def target_status(target: Target, facts: Facts, row: TargetRow | None) -> dict[str, Any]:
    """Return what is told of one target of a user."""
    return {
        **target.key.told,
        "status": row.status if row else Status.WAITING,
        "missing": named(missing(target.required, facts.active), target.toolkits),
        "attempts": row.attempts if row else 0,
        "next_attempt_at": row.due_at if row else None,
        "last_error": row.last_error if row else None,
        "endpoint": row and _endpoint(target, row),
        "record": row.record if row else None,
    }


def user_id_of(request: Request) -> str:
    """Return the user that the path names.

    Raises:
        Refused: It cannot be a user id.
    """
    # A REST API hands the path on as it was sent (seen in its events: aws-sam-cli issue 771).
    # What is not UTF-8 becomes a lone surrogate, which no user id has.
    user_id = unquote(request.path.get("user_id", ""), errors="surrogateescape")
    if not usable(user_id):
        raise Refused(400, f"a user id is 1 to {MAX_USER_ID_BYTES} bytes")
    return user_id


def _endpoint(target: Target, row: TargetRow) -> dict[str, str] | None:
    url = target.url or row.url
    if not url or row.status is not Status.READY:
        return None
    return endpoint(url, row.user_id if target.kind is Kind.INSTANCE else None)
