"""The one table: facts about accounts, instances, and the catalog of servers.

The only module that speaks DynamoDB. Each write is one round trip: conditions, not reads,
decide who wins, and a failed condition brings the row along, so that losing costs no second.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handler import rows
from handler.decisions import Instance, Server, Settlement, Status
from handler.events import Account

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class Recorded:
    """The user's accounts after a fact was recorded; `fresh` when the fact was news."""

    accounts: tuple[Account, ...]
    fresh: bool

    @property
    def active(self) -> frozenset[str]:
        """The auth configs for which the user has an active account."""
        return frozenset(one.auth_config_id for one in self.accounts if one.active)


class Table:
    """The table `name`, through a boto3 client."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def record(self, account: Account) -> Recorded:
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
        row, fresh = self._update(
            rows.accounts_key(account.user_id),
            "SET #account = :fact",
            condition,
            values,
            account=rows.ACCOUNT + account.id,
        )
        return Recorded(rows.accounts_from_row(account.user_id, row), fresh=fresh)

    def withdraw(self, account: Account) -> None:
        """Remove a fact about an account that is no longer there, unless it has changed since."""
        self._update(
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
        that is claimed, ready, or due later is left alone; a failed one, and one that waits
        for a time, is claimed early for news only.

        Args:
            user_id: The user.
            server: The MCP server, complete for this user.
            token: Unique to this claim.
            now: Unix seconds.
            lease: Seconds that the claim holds.
            fresh: The user's facts have just changed; attempts are then counted anew.
        """
        news = "#status IN (:waiting, :failed)"
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
        row, _ = self._update(
            rows.instance_key(user_id, server.id),
            "SET #status = :creating, #required = :required, #claim_token = :token,"
            f" #claimed_at = :now, #due = :due, #due_at = :due_at, #attempts = {count}",
            "attribute_not_exists(#pk) OR #due_at <= :now OR " + (news if fresh else no_news),
            values | ({":failed": Status.FAILED.value} if fresh else {":zero": 0}),
        )
        return rows.instance_from_row(user_id, server.id, row)

    def settle(
        self, user_id: str, server_id: str, settlement: Settlement, *, token: str, now: int
    ) -> bool:
        """End one's own claim; False when somebody else holds the instance by now."""
        changes = rows.settlement_to_row(settlement, now=now)
        kept = [name for name, value in changes.items() if value is not None]
        removed = [name for name in changes if name not in kept]
        row, settled = self._update(
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

    def catalog(self) -> tuple[dict[str, Server], int]:
        """Return the known servers by id, and when they were last read at Composio (Unix)."""
        servers: dict[str, Server] = {}
        synced_at = 0
        for row in self._query(rows.CATALOG):
            if row["sk"] == rows.SYNCED_KEY["sk"]:
                synced_at = int(row["synced_at"])
            else:
                servers[row["server_id"]] = rows.server_from_row(row)
        return servers, synced_at

    def store_server(self, server: Server) -> None:
        """Store what an MCP server requires."""
        self._put(rows.server_to_row(server))

    def store_synced(self, now: int) -> None:
        """Store that the catalog was read at Composio at this time (Unix seconds)."""
        self._put({**rows.SYNCED_KEY, "synced_at": now})

    def _put(self, row: Mapping[str, Any]) -> None:
        self._client.put_item(TableName=self._name, Item=rows.to_item(row))

    def _query(self, pk: str) -> Iterator[dict[str, Any]]:
        request: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ConsistentRead": True,
        }
        while True:
            page = self._client.query(**request)
            yield from map(rows.from_item, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _update(
        self,
        key: Mapping[str, str],
        update: str,
        condition: str,
        values: Mapping[str, Any],
        **names: str,
    ) -> tuple[dict[str, Any], bool]:
        """Return the row after the update, or as it is where the condition fails; and which.

        Every `#name` stands for the attribute of that name, unless `names` says another.
        """
        used = set(re.findall(r"#(\w+)", update + condition))
        try:
            answer = self._client.update_item(
                TableName=self._name,
                Key=rows.to_item(key),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": names.get(name, name) for name in used},
                ExpressionAttributeValues=rows.to_item(values),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            held: Any = error.response.get("Item", {})
            return rows.from_item(held), False
        return rows.from_item(answer["Attributes"]), True
