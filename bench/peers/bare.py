"""Peer (c), the bare minimum: dictionaries, boto3, urllib.

What a good developer writes in an afternoon: it checks the signature, adds to a set atomically,
and looks before it creates.
"""

import base64
import hashlib
import hmac
import json
import os
import time
import urllib.request
from typing import Any

import boto3

dynamodb = boto3.client("dynamodb")
REQUIRED = set(os.environ["REQUIRED_AUTH_CONFIG_IDS"].split(","))


def authentic(headers: dict[str, str], body: str) -> bool:
    """Whether Composio signed it lately."""
    sent = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    digest = hmac.new(os.environ["WEBHOOK_SECRET"].encode(), sent, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    if abs(time.time() - int(headers["webhook-timestamp"])) > 300:
        return False
    return hmac.compare_digest(expected, headers["webhook-signature"])


def create(user_id: str) -> str:
    """Create the instance, and return Composio's record."""
    request = urllib.request.Request(  # noqa: S310 - the address is the operator's
        f"{os.environ['COMPOSIO_BASE_URL']}/api/v3/mcp/servers/{os.environ['MCP_SERVER_IDS']}/instances",
        data=json.dumps({"user_id": user_id}).encode(),
        headers={"x-api-key": os.environ["COMPOSIO_API_KEY"], "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - same
        text: str = response.read().decode()
        return text


def lambda_handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer a delivery."""
    if not authentic(event["headers"], event["body"]):
        return {"statusCode": 401, "body": "{}"}
    data = json.loads(event["body"])["data"]
    if data["status"] != "ACTIVE":
        return {"statusCode": 200, "body": json.dumps({"status": "ignored"})}
    key: Any = {"pk": {"S": f"USER#{data['user_id']}"}, "sk": {"S": "STATE"}}
    item = dynamodb.update_item(
        TableName=os.environ["TABLE_NAME"],
        Key=key,
        UpdateExpression="ADD active :new",
        ExpressionAttributeValues={":new": {"SS": [data["auth_config"]["id"]]}},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    if REQUIRED - set(item["active"]["SS"]):
        return {"statusCode": 200, "body": json.dumps({"status": "waiting"})}
    if "instance" not in item:
        dynamodb.update_item(
            TableName=os.environ["TABLE_NAME"],
            Key=key,
            UpdateExpression="SET instance = :record",
            ExpressionAttributeValues={":record": {"S": create(data["user_id"])}},
        )
    return {"statusCode": 200, "body": json.dumps({"status": "ready"})}
