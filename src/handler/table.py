"""Users in the table: the facts about their accounts, and their instances.

Each write is one round trip: conditions, not reads, decide who wins.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from handler import rows
from handler.dynamodb import Store, assign
from handler.events import Account
from handler.instances import STUCK, Instance, Server, Settlement, Status


class Facts(NamedTuple):
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


@dataclass(eq=False)
class Table:
    """The users' part of the table."""

    store: Store

    def user(self, user_id: str) -> tuple[Facts, dict[str, Instance]]:
        """Return all that is known of a user: the facts, and the instances by MCP server."""
        facts, instances = Facts(()), {}
        for row in self.store.partition(rows.accounts_key(user_id)["pk"]):
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
        if account.active:
            condition += (
                " OR (#account.#updated_at = :updated_at"
                " AND (#account.#status <> :active OR #account.#is_disabled = :true))"
            )
        row, fresh = self.store.update(
            rows.accounts_key(account.user_id),
            "SET #account = :fact",
            condition,
            {"account": rows.ACCOUNT + account.id},
            fact=rows.account_to_row(account),
            updated_at=account.updated_at,
            active=account.status,
            true=True,
        )
        return Facts(rows.accounts_from_row(account.user_id, row), fresh=fresh)

    def withdraw(self, account: Account) -> None:
        """Remove a fact about an account that is no longer there, unless it has changed since."""
        self.store.update(
            rows.accounts_key(account.user_id),
            "REMOVE #account",
            "#account.#updated_at = :updated_at",
            {"account": rows.ACCOUNT + account.id},
            updated_at=account.updated_at,
        )

    def claim(
        self, user_id: str, server: Server, *, token: str, now: int, lease: int, fresh: bool
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
            fresh: The user's facts have just changed; attempts are then counted anew.
        """
        news = f"#status IN (:waiting, {', '.join(f':{one}' for one in STUCK)})"
        no_news = "(#status = :waiting AND attribute_not_exists(#due_at))"
        count = ":one" if fresh else "if_not_exists(#attempts, :zero) + :one"
        claimed = {
            "status": Status.CREATING.value,
            "required": sorted(server.required),
            "claim_token": token,
            "claimed_at": now,
            "due": rows.DUE,
            "due_at": now + lease,
        }
        key = rows.instance_key(user_id, server.id)
        row, _ = self.store.update(
            key,
            f"{assign(claimed)}, #attempts = {count}",
            "attribute_not_exists(#pk) OR #due_at <= :now OR " + (news if fresh else no_news),
            **claimed,
            **{one.value: one.value for one in (Status.WAITING, *STUCK)},
            now=now,
            zero=0,
            one=1,
        )
        return rows.instance_from_row(key | row)

    def settle(self, claimed: Instance, settlement: Settlement, *, now: int) -> bool:
        """End one's own claim; False when somebody else holds the instance by now."""
        changes = rows.settlement_to_row(settlement, now=now)
        row, settled = self.store.update(
            rows.instance_key(claimed.user_id, claimed.server_id),
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
        self.store.update(
            rows.instance_key(instance.user_id, instance.server_id),
            "REMOVE #due, #due_at",
            "#status = :waiting AND #due_at = :due_at",
            waiting=Status.WAITING.value,
            due_at=instance.due_at,
        )
