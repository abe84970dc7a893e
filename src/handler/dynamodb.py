"""Reads and conditional writes on the one table.

The only module that speaks DynamoDB. A failed condition brings the row along, so that losing
costs no second round trip.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from handler import rows

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Store:
    """The table `name`, through a boto3 client; rows are plain values."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def put(self, row: Mapping[str, Any]) -> None:
        """Write a whole row."""
        self._client.put_item(TableName=self._name, Item=rows.to_item(row))

    def partition(self, pk: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a partition as they are now."""
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

    def due(self, limit: int) -> list[dict[str, Any]]:
        """Return the keys of at most so many instances with a due time, the earliest first."""
        page = self._client.query(
            TableName=self._name,
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
        condition: str,
        values: Mapping[str, Any],
        **names: str,
    ) -> tuple[dict[str, Any], bool]:
        """Return the row after the change, or as it is where the condition fails; and which.

        Every `#name` stands for the attribute of that name, unless `names` says another.
        """
        used = set(re.findall(r"#(\w+)", f"{change} {condition}"))
        request: dict[str, Any] = {
            "TableName": self._name,
            "Key": rows.to_item(key),
            "UpdateExpression": change,
            "ExpressionAttributeNames": {f"#{name}": names.get(name, name) for name in used},
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if condition:
            request["ConditionExpression"] = condition
        if values:
            request["ExpressionAttributeValues"] = rows.to_item(values)
        try:
            answer = self._client.update_item(**request)
        except self._client.exceptions.ConditionalCheckFailedException as error:
            held: Any = error.response.get("Item", {})
            return rows.from_item(held), False
        return rows.from_item(answer["Attributes"]), True
