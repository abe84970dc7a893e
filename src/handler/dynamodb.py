"""Reads and conditional writes on the one table.

The only module that speaks DynamoDB. A failed condition brings the row along, so that losing
costs no second round trip.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from handler import rows

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def assign(values: Mapping[str, Any]) -> str:
    """Return the change that sets each attribute to the value of its name, or removes it (None)."""
    kept = ", ".join(f"#{name} = :{name}" for name, one in values.items() if one is not None)
    gone = ", ".join(f"#{name}" for name, one in values.items() if one is None)
    return " ".join(part for part in (kept and f"SET {kept}", gone and f"REMOVE {gone}") if part)


@dataclass(eq=False)
class Store:
    """The table `name`, through a boto3 client; rows are plain values."""

    client: "DynamoDBClient"
    name: str

    def partition(self, pk: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a partition as they are now."""
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ConsistentRead": True,
        }
        while True:
            page = self.client.query(**request)
            yield from map(rows.from_item, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def due(self, limit: int) -> list[dict[str, Any]]:
        """Return the keys of at most so many instances with a due time, the earliest first."""
        page = self.client.query(
            TableName=self.name,
            IndexName=rows.DUE,
            KeyConditionExpression="due = :due",
            ExpressionAttributeValues={":due": {"S": rows.DUE}},
            Limit=limit,
        )
        return [rows.from_item(item) for item in page["Items"]]

    def update(
        self,
        key: Mapping[str, str],
        change: str,
        condition: str = "",
        names: Mapping[str, str] = MappingProxyType({}),
        /,
        **values: object,
    ) -> tuple[dict[str, Any], bool]:
        """Return the row after the change, or as it is where the condition fails; and which.

        Every `#name` stands for the attribute of that name, unless `names` says another, and
        every `:name` for the value of that name; of the values, those are sent that are used.
        """
        used = set(re.findall(r"[#:]\w+", f"{change} {condition}"))
        request: dict[str, Any] = {
            "TableName": self.name,
            "Key": rows.to_item(key),
            "UpdateExpression": change,
            "ExpressionAttributeNames": {
                one: names.get(one[1:], one[1:]) for one in used if one[0] == "#"
            },
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if condition:
            request["ConditionExpression"] = condition
        if sent := {f":{name}": one for name, one in values.items() if f":{name}" in used}:
            request["ExpressionAttributeValues"] = rows.to_item(sent)
        try:
            answer = self.client.update_item(**request)
        except self.client.exceptions.ConditionalCheckFailedException as error:
            held: Any = error.response.get("Item", {})
            return rows.from_item(held), False
        return rows.from_item(answer["Attributes"]), True
