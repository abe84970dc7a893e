"""Users in the table: the facts about their accounts, and their instances.

Each write is one round trip: conditions, not reads, decide who wins.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handler import rows
from handler.dynamodb import Store
from handler.events import Account
from handler.instances import STUCK, Instance, Server, Settlement, Status


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the user's accounts; `fresh` when the last fact recorded was news."""

    accounts: tuple[Account, ...]
    fresh: bool = False

    @property
    def active(self) -> frozenset[str]:
        """The auth configs for which the user has an active account."""
        return frozenset(one.auth_config_id for one in self.accounts if one.active)

    def newest(self, required: AbstractSet[str]) -> float | None:
        """Return the Unix time of the newest fact about an active account that is required."""
        moments = [a.updated_at for a in self.accounts if a.active and a.auth_config_id in required]
        return datetime.fromisoformat(max(moments)).timestamp() if moments else None


class Table:
    """The users' part of the table."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def user(self, user_id: str) -> tuple[Facts, dict[str, Instance]]:
        """Return all that is known of a user: the facts, and the instances by MCP server."""
        facts, instances = Facts(()), {}
        for row in self._store.partition(rows.accounts_key(user_id)["pk"]):
            if row["sk"] == rows.ACCOUNTS:
                facts = Facts(rows.accounts_from_row(user_id, row))
            else:
                instance = rows.instance_from_row(row)
                instances[instance.server_id] = instance
        return facts, instances

    def record(self, account: Account) -> Facts:
        """Write the fact, unless one as new is there, and return all of the user's facts.

        Of two facts with the same `updated_at` the active one stands, so that the outcome does
        not depend on which came first; create-instance has Composio's own word anyway. When
        botocore repeats a write whose answer was lost, the fact is reported as no news.
        """
        condition = "attribute_not_exists(#account) OR #account.#updated_at < :updated_at"
        values: dict[str, Any] = {
            ":fact": rows.account_to_row(account),
            ":updated_at": account.updated_at,
        }
        if account.active:
            condition += (
                " OR (#account.#updated_at = :updated_at"
                " AND (#account.#status <> :active OR #account.#is_disabled = :true))"
            )
            values |= {":active": account.status, ":true": True}
        row, fresh = self._store.update(
            rows.accounts_key(account.user_id),
            "SET #account = :fact",
            condition,
            values,
            account=rows.ACCOUNT + account.id,
        )
        return Facts(rows.accounts_from_row(account.user_id, row), fresh=fresh)

    def withdraw(self, account: Account) -> None:
        """Remove a fact about an account that is no longer there, unless it has changed since."""
        self._store.update(
            rows.accounts_key(account.user_id),
            "REMOVE #account",
            "#account.#updated_at = :updated_at",
            {":updated_at": account.updated_at},
            account=rows.ACCOUNT + account.id,
        )

    def claim(
        self, user_id: str, server: Server, *, token: str, now: int, lease: int, fresh: bool
    ) -> Instance:
        """Claim the instance for one create call, and return the row as it then is.

        The claim is yours when the row says so: `instance.claimed_with(token)`. An instance
        that is claimed, ready, or due later is left alone; a stuck one, and one that waits
        for a time, is claimed early for news only.

        Args:
            user_id: The user.
            server: The MCP server, complete for this user.
            token: Unique to this claim.
            now: Unix seconds.
            lease: Seconds that the claim holds.
            fresh: The user's facts have just changed; attempts are then counted anew.
        """
        stuck = {f":{one}": one.value for one in STUCK}
        news = f"#status IN (:waiting, {', '.join(stuck)})"
        no_news = "(#status = :waiting AND attribute_not_exists(#due_at))"
        count = ":one" if fresh else "if_not_exists(#attempts, :zero) + :one"
        values = {
            ":now": now,
            ":waiting": Status.WAITING.value,
            ":creating": Status.CREATING.value,
            ":required": sorted(server.required),
            ":token": token,
            ":due": rows.DUE,
            ":due_at": now + lease,
            ":one": 1,
        }
        row, _ = self._store.update(
            rows.instance_key(user_id, server.id),
            "SET #status = :creating, #required = :required, #claim_token = :token,"
            f" #claimed_at = :now, #due = :due, #due_at = :due_at, #attempts = {count}",
            "attribute_not_exists(#pk) OR #due_at <= :now OR " + (news if fresh else no_news),
            values | (stuck if fresh else {":zero": 0}),
        )
        return rows.instance_from_row(rows.instance_key(user_id, server.id) | row)

    def settle(
        self, user_id: str, server_id: str, settlement: Settlement, *, token: str, now: int
    ) -> bool:
        """End one's own claim; False when somebody else holds the instance by now."""
        changes = rows.settlement_to_row(settlement, now=now)
        kept = [name for name, value in changes.items() if value is not None]
        removed = [name for name in changes if name not in kept]
        row, settled = self._store.update(
            rows.instance_key(user_id, server_id),
            "SET "
            + ", ".join(f"#{name} = :{name}" for name in kept)
            + (" REMOVE " + ", ".join(f"#{name}" for name in removed) if removed else ""),
            "#claim_token = :token AND #status = :creating",
            {f":{name}": changes[name] for name in kept}
            | {":token": token, ":creating": Status.CREATING.value},
        )
        # A write that botocore repeats fails on its own first attempt: the row is then ours.
        return settled or (
            row.get("claim_token") == token and row.get("status") == settlement.status.value
        )

    def rest(self, instance: Instance) -> None:
        """Let a waiting instance be due no more: only an account can change anything now."""
        self._store.update(
            rows.instance_key(instance.user_id, instance.server_id),
            "REMOVE #due, #due_at",
            "#status = :waiting AND #due_at = :due_at",
            {":waiting": Status.WAITING.value, ":due_at": instance.due_at},
        )
