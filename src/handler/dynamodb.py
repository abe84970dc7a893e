"""The primitives of the one table: queries, and conditional updates that return the row.

Rows are plain values here; `target_table` and `catalog_table` know what is in them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    type Item = Mapping[str, AttributeValueTypeDef]

DUE = "due"
"""Name of the sparse index, of its partition key, and the one value of that key. One partition
takes 1,000 writes a second, and Composio's largest plan allows 167 calls a second."""


class TooLarge(Exception):
    """The row would be larger than the 400 KB that DynamoDB takes."""


class _WholeNumbers(TypeDeserializer):
    def _deserialize_n(self, value: str) -> int:
        return int(value)


_serialize = TypeSerializer().serialize
_deserialize = _WholeNumbers().deserialize


def to_item(values: Mapping[str, Any]) -> dict[str, "AttributeValueTypeDef"]:
    """Return the values with DynamoDB's types around them.

    Raises:
        TypeError: A value is of a type that DynamoDB does not have.
    """
    return {name: _serialize(value) for name, value in values.items()}


def from_item(item: "Item") -> dict[str, Any]:
    """Return the item's plain values; every number in this table is whole."""
    return {name: _deserialize(typed) for name, typed in item.items()}


def assign(values: Mapping[str, Any]) -> str:
    """Return the update that sets each attribute to the value of its name, or removes it (None)."""
    kept = ", ".join(f"#{name} = :{name}" for name, one in values.items() if one is not None)
    gone = ", ".join(f"#{name}" for name, one in values.items() if one is None)
    return " ".join(part for part in (kept and f"SET {kept}", gone and f"REMOVE {gone}") if part)


@dataclass(eq=False)
class Table:
    """The table `name`, through a boto3 client."""

    client: "DynamoDBClient"
    name: str

    def partition(self, pk: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a partition in the order of their sort keys, read consistently."""
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ConsistentRead": True,
        }
        while True:
            page = self.client.query(**request)
            yield from map(from_item, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def due(
        self, limit: int, *, until: int, after: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Return the keys of at most so many rows that are due until then, the earliest first.

        `until` is Unix seconds, and `after` one of the keys: those that follow are returned.
        """
        start: dict[str, Any] = {"ExclusiveStartKey": to_item(after)} if after else {}
        page = self.client.query(
            TableName=self.name,
            IndexName=DUE,
            KeyConditionExpression="#due = :due AND #due_at <= :until",
            ExpressionAttributeNames={"#due": DUE, "#due_at": "due_at"},
            ExpressionAttributeValues={":due": {"S": DUE}, ":until": {"N": str(until)}},
            Limit=limit,
            **start,
        )
        return [from_item(item) for item in page["Items"]]

    def update(
        self,
        key: Mapping[str, str],
        update: str,
        condition: str = "",
        names: Mapping[str, str] = {},
        /,
        **values: object,
    ) -> tuple[dict[str, Any], bool]:
        """Update a row where the condition holds, in one round trip.

        In both expressions `#name` stands for the attribute of that name, unless `names` says
        otherwise, and `:name` for the value that is given by that name. Values that neither
        expression uses are not sent.

        Returns:
            The row as it is now, and whether the condition held.

        Raises:
            TooLarge: The row would be larger than an item may be.
        """
        used = set(re.findall(r"[#:]\w+", f"{update} {condition}"))
        request: dict[str, Any] = {
            "TableName": self.name,
            "Key": to_item(key),
            "UpdateExpression": update,
            "ExpressionAttributeNames": {
                one: names.get(one[1:], one[1:]) for one in used if one[0] == "#"
            },
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if condition:
            request["ConditionExpression"] = condition
        if sent := {f":{name}": one for name, one in values.items() if f":{name}" in used}:
            request["ExpressionAttributeValues"] = to_item(sent)
        try:
            answer = self.client.update_item(**request)
        except self.client.exceptions.ConditionalCheckFailedException as error:
            held: Any = error.response.get("Item", {})
            return from_item(held), False
        except ClientError as error:
            # Of what is sent here, only the size can be wrong.
            if error.response["Error"]["Code"] == "ValidationException":
                raise TooLarge from error
            raise
        return from_item(answer["Attributes"]), True
