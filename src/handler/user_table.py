"""Users in the table: the facts about their connected accounts, and their instances.

| pk | sk | holds |
|---|---|---|
| `USER#<user_id>` | `ACCOUNTS` | an attribute `account#<id>` per connected account |
| `USER#<user_id>` | `INSTANCE#<server_id>` | the instance and the claim on it |

Each write is one round trip: its condition, not a read before it, decides who wins.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from handler.dynamodb import DUE, Table, assign
from handler.events import Account
from handler.values import STUCK, Instance, Server, Settlement, Status

ACCOUNTS = "ACCOUNTS"
ACCOUNT = "account#"
"""Prefix of the attributes that hold accounts: an id can then never name another attribute."""

_IN_THE_NAMES = ("id", "user_id")
"""What the key of the row, or the name of the attribute, says of an account."""

INSTANCE = "INSTANCE#"
"""Prefix of the sort keys of instances."""


class Facts(NamedTuple):
    """What is known of the user's accounts; `changed` when the last fact recorded was news."""

    accounts: tuple[Account, ...]
    changed: bool = False

    @property
    def active(self) -> frozenset[str]:
        """The auth configs for which the user has an active account."""
        return frozenset(one.auth_config_id for one in self.accounts if one.active)

    def newest(self, required: AbstractSet[str]) -> float | None:
        """Return the Unix time of the newest fact about an active account that is required."""
        moments = [a.updated_at for a in self.accounts if a.active and a.auth_config_id in required]
        return datetime.fromisoformat(max(moments)).timestamp() if moments else None


@dataclass(eq=False)
class UserTable:
    """The users' part of the table."""

    table: Table

    def due(self, limit: int) -> list[tuple[str, str, int]]:
        """Return (user, MCP server, Unix time due) of at most so many, the earliest first."""
        return [(*instance_ids(row), row["due_at"]) for row in self.table.due(limit)]

    def user(self, user_id: str) -> tuple[Facts, dict[str, Instance]]:
        """Return all that is known of a user: the facts, and the instances by MCP server."""
        facts, instances = Facts(()), {}
        for row in self.table.partition(accounts_key(user_id)["pk"]):
            if row["sk"] == ACCOUNTS:
                facts = Facts(accounts_from_row(user_id, row))
            else:
                instance = instance_from_row(row)
                instances[instance.server_id] = instance
        return facts, instances

    def record(self, account: Account) -> Facts:
        """Write the fact, unless one as new is there, and return all of the user's facts.

        Of two facts with the same `updated_at` the active one stands, so that the outcome does
        not depend on which came first; create-instance has Composio's own word anyway. When
        botocore repeats a write whose answer was lost, the fact is reported as no news.
        """
        condition = "attribute_not_exists(#account) OR #account.#updated_at < :updated_at"
        if account.active:
            condition += (
                " OR (#account.#updated_at = :updated_at"
                " AND (#account.#status <> :active OR #account.#is_disabled = :true))"
            )
        row, changed = self.table.update(
            accounts_key(account.user_id),
            "SET #account = :fact",
            condition,
            {"account": ACCOUNT + account.id},
            fact=account_to_row(account),
            updated_at=account.updated_at,
            active=account.status,
            true=True,
        )
        return Facts(accounts_from_row(account.user_id, row), changed=changed)

    def withdraw(self, account: Account) -> None:
        """Remove a fact about an account that is no longer there, unless it has changed since."""
        self.table.update(
            accounts_key(account.user_id),
            "REMOVE #account",
            "#account.#updated_at = :updated_at",
            {"account": ACCOUNT + account.id},
            updated_at=account.updated_at,
        )

    def claim(
        self, user_id: str, server: Server, *, token: str, now: int, lease: int, changed: bool
    ) -> Instance:
        """Claim the instance for one create call, and return the row as it then is.

        The claim is yours when the row says so: `instance.claimed_with(token)`. An instance
        that is claimed, ready, or due later is left alone; a stuck one, and one that waits
        for a time, is claimed early for news only.

        Args:
            user_id: A user for whom the server is complete.
            server: The MCP server.
            token: Unique to this claim.
            now: Unix seconds.
            lease: Seconds that the claim holds.
            changed: The user's facts have just changed; attempts are then counted anew.
        """
        news = f"#status IN (:waiting, {', '.join(f':{one}' for one in STUCK)})"
        no_news = "(#status = :waiting AND attribute_not_exists(#due_at))"
        count = ":one" if changed else "if_not_exists(#attempts, :zero) + :one"
        claimed = {
            "status": Status.CREATING.value,
            "required": sorted(server.required),
            "claim_token": token,
            "claimed_at": now,
            "due": DUE,
            "due_at": now + lease,
        }
        key = instance_key(user_id, server.id)
        row, _ = self.table.update(
            key,
            f"{assign(claimed)}, #attempts = {count}",
            "attribute_not_exists(#pk) OR #due_at <= :now OR " + (news if changed else no_news),
            **claimed,
            **{one.value: one.value for one in (Status.WAITING, *STUCK)},
            now=now,
            zero=0,
            one=1,
        )
        return instance_from_row(key | row)

    def settle(self, claimed: Instance, settlement: Settlement, *, now: int) -> bool:
        """End one's own claim; False when somebody else holds the instance by now."""
        changes = settlement_to_row(settlement, now=now)
        row, settled = self.table.update(
            instance_key(claimed.user_id, claimed.server_id),
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

    def rest(self, instance: Instance) -> None:
        """Let a waiting instance be due no more: only an account can change anything now."""
        self.table.update(
            instance_key(instance.user_id, instance.server_id),
            "REMOVE #due, #due_at",
            "#status = :waiting AND #due_at = :due_at",
            waiting=Status.WAITING.value,
            due_at=instance.due_at,
        )


def accounts_key(user_id: str) -> dict[str, str]:
    """Return the key of the row that holds the user's accounts."""
    return {"pk": f"USER#{user_id}", "sk": ACCOUNTS}


def instance_key(user_id: str, server_id: str) -> dict[str, str]:
    """Return the key of the row that holds the instance."""
    return {"pk": f"USER#{user_id}", "sk": INSTANCE + server_id}


def instance_ids(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the user and the MCP server that the key of an instance names."""
    return row["pk"].removeprefix("USER#"), row["sk"].removeprefix(INSTANCE)


def account_to_row(account: Account) -> dict[str, Any]:
    """Return the attribute that holds the account."""
    return {name: value for name, value in account._asdict().items() if name not in _IN_THE_NAMES}


def accounts_from_row(user_id: str, row: Mapping[str, Any]) -> tuple[Account, ...]:
    """Return the accounts in the row."""
    return tuple(
        Account(id=name.removeprefix(ACCOUNT), user_id=user_id, **value)
        for name, value in row.items()
        if name.startswith(ACCOUNT)
    )


def instance_from_row(row: Mapping[str, Any]) -> Instance:
    """Return the instance in the row."""
    user_id, server_id = instance_ids(row)
    return Instance(
        user_id=user_id,
        server_id=server_id,
        status=Status(row["status"]),
        attempts=row["attempts"],
        claim_token=row["claim_token"],
        due_at=row.get("due_at"),
        missing=frozenset(row.get("missing", ())),
        record=row.get("record"),
        last_error=row.get("last_error"),
    )


def settlement_to_row(settlement: Settlement, *, now: int) -> dict[str, Any]:
    """Return the attributes that a settlement sets, and, as None, those that it removes."""
    error = settlement.problem and settlement.problem._asdict() | {"at": now}
    if error:
        del error["retry_after"], error["enveloped"]
    return {
        "status": settlement.status.value,
        "settled_at": now,
        "missing": sorted(settlement.missing) or None,
        "record": settlement.record,
        "due": None if settlement.due_in is None else DUE,
        "due_at": None if settlement.due_in is None else now + settlement.due_in,
        "last_error": error,
    }
