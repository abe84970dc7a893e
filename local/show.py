"""Shows what the table says of a user of `make serve`: `python -m local.show USER_ID`."""

import argparse
import json
from decimal import Decimal
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer

from local import stack


def rows(of: stack.Stack, user_id: str) -> list[dict[str, Any]]:
    """Read the user's rows as plain values: the accounts, and one per instance."""
    client = boto3.client("dynamodb", **of.connection)
    pages = client.get_paginator("query").paginate(
        TableName=of.table_name,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"USER#{user_id}"}},
        ConsistentRead=True,
    )
    plain = TypeDeserializer().deserialize
    return [
        {name: plain(value) for name, value in item.items()}
        for page in pages
        for item in page["Items"]
    ]


def main() -> None:
    """Print the rows as JSON, one after the other."""
    parser = argparse.ArgumentParser(prog="local.show", description="Show a user's rows.")
    parser.add_argument("user_id")
    user_id = parser.parse_args().user_id
    for row in rows(stack.served(), user_id):
        print(json.dumps(row, indent=2, default=_number))


def _number(value: object) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not in the table")
    return int(value) if value == value.to_integral_value() else float(value)


if __name__ == "__main__":
    main()
