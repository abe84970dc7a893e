"""The floor: python, boto3, one DynamoDB client; an event is calls to send as they are."""

from functools import cache
from typing import Any

import boto3

DYNAMODB: Any = boto3.client("dynamodb")


@cache
def _composio() -> Any:  # noqa: ANN401 - the floor of the start does not have it
    import httpx  # noqa: PLC0415 - same

    return httpx.Client()


def lambda_handler(event: list[dict[str, Any]], _: object) -> None:
    """Send calls: `{"operation", "request"}` to DynamoDB, `{"url", "body", "key"}` to Composio."""
    for call in event:
        if "url" in call:
            _composio().post(call["url"], json=call["body"], headers={"x-api-key": call["key"]})
        else:
            getattr(DYNAMODB, call["operation"])(**call["request"])
