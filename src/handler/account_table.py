"""The facts about a user's connected accounts, in the table.

| pk | sk | holds |
|---|---|---|
| `USER#<user_id>` | `ACCOUNTS` | an attribute `account#<id>` per connected account |

A write is one round trip: its condition, not a read before it, decides which fact stands.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from handler.dynamodb import Table, TooLarge
from handler.events import Account, timestamp

ACCOUNTS = "ACCOUNTS"
ACCOUNT = "account#"
"""Prefix of the attributes that hold accounts: an id can then never name another attribute."""

_IN_THE_NAMES = ("id", "user_id")
"""What the key of the row, or the name of the attribute, says of an account."""

FORGOTTEN_AT_ONCE = 50
"""Accounts that make room for others in a full item: an expression has at most 4 KB."""


class Facts(NamedTuple):
    """What is known of the user's accounts; `recorded` where the last fact was written."""

    accounts: tuple[Account, ...]
    recorded: bool = False

    @property
    def active(self) -> frozenset[str]:
        """The auth configs for which the user has an active account."""
        return frozenset(one.auth_config_id for one in self.accounts if one.active)

    def newest(self, required: AbstractSet[str]) -> float | None:
        """Return the Unix time of the newest fact about an active account that is required."""
        moments = [a.updated_at for a in self.accounts if a.active and a.auth_config_id in required]
        return datetime.fromisoformat(max(moments)).timestamp() if moments else None


@dataclass(eq=False)
class AccountTable:
    """The users' connected accounts, as far as they are known."""

    table: Table

    def record(self, account: Account) -> Facts:
        """Write the fact, unless what is there outranks it, and return all of the user's facts.

        Events are ordered by the account's own `updated_at`. Of two with the same time the active
        one stands, so that the outcome does not depend on which came first. What was read at
        Composio outranks whatever was learned before that read began. When botocore repeats a
        write whose answer was lost, the fact is returned as not `recorded`.

        Raises:
            TooLarge: The user has more active accounts than an item can hold.
        """
        try:
            return self._record(account)
        except TooLarge:
            self._make_room(account.user_id)
            return self._record(account)

    def _record(self, account: Account) -> Facts:
        outranked = "attribute_not_exists(#account) OR #account.#updated_at < :updated_at"
        if account.read:
            outranked += (
                " OR ((attribute_not_exists(#account.#seen_at) OR #account.#seen_at < :seen_at"
                " OR #account.#updated_at = :updated_at)"
                " AND (#account.#status <> :status OR #account.#is_disabled <> :is_disabled"
                " OR #account.#auth_config_id <> :auth_config_id))"
            )
        elif account.active:
            outranked += (
                " OR (#account.#updated_at = :updated_at AND #account.#read <> :true"
                " AND (#account.#status <> :status OR #account.#is_disabled = :true))"
            )
        fact = account_to_row(account)
        row, recorded = self.table.update(
            accounts_key(account.user_id),
            "SET #account = :fact",
            outranked,
            {"account": ACCOUNT + account.id},
            **fact | {"updated_at": account.updated_at, "fact": fact, "true": True},
        )
        return Facts(accounts_from_row(account.user_id, row), recorded=recorded)

    def _make_room(self, user_id: str) -> None:
        """Forget the oldest accounts that are no longer active, unless one of them changes."""
        rows = self.table.partition(accounts_key(user_id)["pk"])
        (row,) = (one for one in rows if one["sk"] == ACCOUNTS)
        inactive = [one for one in accounts_from_row(user_id, row) if not one.active]
        oldest = sorted(inactive, key=lambda one: one.updated_at)[:FORGOTTEN_AT_ONCE]
        if not oldest:
            return
        names = {f"a{number}": ACCOUNT + one.id for number, one in enumerate(oldest)}
        self.table.update(
            accounts_key(user_id),
            "REMOVE " + ", ".join(f"#{name}" for name in names),
            " AND ".join(f"#{name}.#updated_at = :{name}" for name in names),
            names,
            **{name: one.updated_at for name, one in zip(names, oldest, strict=True)},
        )


def accounts_key(user_id: str) -> dict[str, str]:
    """Return the key of the row that holds the user's accounts."""
    return {"pk": f"USER#{user_id}", "sk": ACCOUNTS}


def account_to_row(account: Account) -> dict[str, Any]:
    """Return the attribute that holds the account."""
    row = {name: value for name, value in account._asdict().items() if name not in _IN_THE_NAMES}
    seen = timestamp(datetime.fromtimestamp(account.seen_at / 1000, UTC))
    return row | {"updated_at": account.updated_at or seen}


def accounts_from_row(user_id: str, row: Mapping[str, Any]) -> tuple[Account, ...]:
    """Return the accounts in the row."""
    return tuple(
        Account(id=name.removeprefix(ACCOUNT), user_id=user_id, **value)
        for name, value in row.items()
        if name.startswith(ACCOUNT)
    )
