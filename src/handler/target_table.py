"""The users' targets in the table, and the claims on them.

| pk | sk | holds |
|---|---|---|
| `USER#<user_id>` | `INSTANCE#<server_id>` | the instance and the claim on it |
| `USER#<user_id>` | `SESSION#<profile>` | the session and the claim on it |

Each write is one round trip: its condition, not a read before it, decides who wins.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from handler.account_table import ACCOUNTS, Facts, accounts_from_row, accounts_key
from handler.dynamodb import DUE, Table, assign
from handler.targets import Kind, Settlement, Status, Target, TargetId, TargetRow

TARGETS = tuple(f"{kind.name}#" for kind in Kind)
"""The beginnings of the sort keys of targets."""


class Due(NamedTuple):
    """A target that is to be looked at again, and when (Unix seconds)."""

    user_id: str
    target: str
    """Its sort key."""
    at: int
    cursor: str


@dataclass(eq=False)
class TargetTable:
    """The users' targets, and what is known of a user as a whole."""

    table: Table

    def due(self, limit: int, *, until: int, cursor: str = "") -> list[Due]:
        """Return at most so many targets that are due until then, the earliest first.

        `until` is Unix seconds; with the cursor of one of them, those after it are returned.
        """
        rows = self.table.due(limit, until=until, after=json.loads(cursor or "null"))
        return [Due(user_of(row), row["sk"], row["due_at"], json.dumps(row)) for row in rows]

    def user(self, user_id: str) -> tuple[Facts, dict[TargetId, TargetRow]]:
        """Return all that is known of a user: the facts, and the rows of the targets."""
        facts, rows = Facts(()), {}
        for row in self.table.partition(accounts_key(user_id)["pk"]):
            if row["sk"] == ACCOUNTS:
                facts = Facts(accounts_from_row(user_id, row))
            elif row["sk"].startswith(TARGETS):
                found = target_from_row(row)
                rows[found.target] = found
        return facts, rows

    def claim(
        self, user_id: str, target: Target, *, tried: str, token: str, now: int, lease: int
    ) -> TargetRow:
        """Claim the target for one create call, and return the row as it then is.

        The claim is yours when the row says so: `row.claimed_with(token)`. A target that is
        claimed, ready, or due later is left alone. One that waits or has failed is claimed
        before it is due where the call would be made with something else than it was.

        Args:
            user_id: A user who has everything that the target requires.
            target: What to create.
            tried: The fingerprint of what the call is made with.
            token: Unique to this claim.
            now: Unix seconds.
            lease: Seconds that the claim holds.
        """
        claimed = {
            "status": Status.CREATING.value,
            "required": sorted(target.required),
            "tried": tried,
            "claim_token": token,
            "claimed_at": now,
            "url": target.url,
            "due": DUE,
            "due_at": now + lease,
        }
        key = target_key(user_id, target.key)
        row, _ = self.table.update(
            key,
            f"{assign(claimed)}, #tried_before = if_not_exists(#tried, :none),"
            " #status_before = if_not_exists(#status, :none),"
            " #attempts = if_not_exists(#attempts, :zero) + :one",
            "attribute_not_exists(#pk) OR #due_at <= :now OR (#status IN (:waiting, :failed)"
            " AND (attribute_not_exists(#tried) OR #tried <> :tried))",
            **claimed,
            waiting=Status.WAITING.value,
            failed=Status.FAILED.value,
            now=now,
            none="",
            zero=0,
            one=1,
        )
        found = target_from_row(key | row)
        if row.get("tried_before") == row.get("tried"):
            return found
        return found._replace(attempts=1, forbidden=0, failures=0, failed_at=None)

    def settle(self, claimed: TargetRow, settlement: Settlement, *, now: int) -> bool:
        """End one's own claim; False when somebody else holds the target by now."""
        changes = settlement_to_row(claimed, settlement, now=now)
        row, settled = self.table.update(
            target_key(claimed.user_id, claimed.target),
            assign(changes),
            "#claim_token = :token AND #status = :creating",
            **changes,
            token=claimed.claim_token,
            creating=Status.CREATING.value,
        )
        # A write that botocore repeats fails on its own first attempt: the row is then ours.
        return settled or (
            row.get("claim_token") == claimed.claim_token
            and row.get("status") == settlement.status.value
        )

    def renew(self, row: TargetRow, *, now: int) -> None:
        """Make a ready target due, as Composio no longer knows what was created for it."""
        due = {"status": Status.RETRYING.value, "due": DUE, "due_at": now, "tried": ""}
        self.table.update(
            target_key(row.user_id, row.target),
            assign(due),
            "#status = :ready AND #claim_token = :token",
            **due,
            ready=Status.READY.value,
            token=row.claim_token,
        )

    def rest(self, row: TargetRow) -> None:
        """Let a waiting target be due no more: only an account can change anything now."""
        self.table.update(
            target_key(row.user_id, row.target),
            "REMOVE #due, #due_at",
            "#status = :waiting AND #due_at = :due_at",
            waiting=Status.WAITING.value,
            due_at=row.due_at,
        )


def target_key(user_id: str, target: TargetId) -> dict[str, str]:
    """Return the key of the row that holds a target of a user."""
    return {"pk": f"USER#{user_id}", "sk": target.sort_key}


def user_of(row: Mapping[str, Any]) -> str:
    """Return the user whose row it is."""
    return str(row["pk"]).removeprefix("USER#")


def target_from_row(row: Mapping[str, Any]) -> TargetRow:
    """Return the target in the row.

    Raises:
        ValueError: It holds none.
    """
    return TargetRow(
        user_id=user_of(row),
        target=TargetId.of(row["sk"]),
        status=Status(row["status"]),
        attempts=row["attempts"],
        claim_token=row["claim_token"],
        tried=row.get("tried", ""),
        due_at=row.get("due_at"),
        forbidden=row.get("forbidden", 0),
        failures=row.get("failures", 0),
        failed_at=row.get("failed_at"),
        missing=frozenset(row.get("missing", ())),
        record=row.get("record"),
        last_error=row.get("last_error"),
        url=row.get("url", ""),
        interrupted=row.get("status_before") == Status.CREATING,
    )


def settlement_to_row(claimed: TargetRow, settlement: Settlement, *, now: int) -> dict[str, Any]:
    """Return the attributes that a settlement sets, and, as None, those that it removes."""
    error = settlement.problem and settlement.problem._asdict() | {"at": now}
    if error:
        del error["retry_after"], error["enveloped"]
    failed, ready = (settlement.status is status for status in (Status.FAILED, Status.READY))
    failed_at = now if failed and claimed.failed_at is None else claimed.failed_at
    located = {"url": settlement.url} if settlement.url else {}
    return located | {
        "status": settlement.status.value,
        "settled_at": now,
        "attempts": claimed.attempts,
        "forbidden": settlement.forbidden,
        "failures": claimed.failures + failed,
        "failed_at": None if ready else failed_at,
        "missing": sorted(settlement.missing) or None,
        "record": settlement.record,
        "due": None if settlement.due_in is None else DUE,
        "due_at": None if settlement.due_in is None else now + settlement.due_in,
        "last_error": error,
    }
