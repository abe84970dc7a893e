"""Peer (b), the official SDK: it verifies, waits for the connection, lists, and creates.

Composio publishes no MCP instance call above its raw client, so that is what is called. Telemetry
is off, as there is nobody to send it to here.
"""

import json
import os
from typing import Any

import boto3
from composio import Composio

composio = Composio(
    api_key=os.environ["COMPOSIO_API_KEY"],
    base_url=os.environ["COMPOSIO_BASE_URL"],
    allow_tracking=False,
)
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])
REQUIRED = set(os.environ["REQUIRED_AUTH_CONFIG_IDS"].split(","))


def lambda_handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer a delivery."""
    headers = event["headers"]
    try:
        composio.triggers.verify_webhook(
            id=headers["webhook-id"],
            payload=event["body"],
            secret=os.environ["WEBHOOK_SECRET"],
            signature=headers["webhook-signature"],
            timestamp=headers["webhook-timestamp"],
        )
    except Exception:  # noqa: BLE001 - whatever it was, it is not authentic
        return {"statusCode": 401, "body": "{}"}
    data = json.loads(event["body"])["data"]
    user_id, server_id = data["user_id"], os.environ["MCP_SERVER_IDS"]
    composio.connected_accounts.wait_for_connection(data["id"], timeout=20)
    accounts = composio.connected_accounts.list(user_ids=[user_id], statuses=["ACTIVE"])
    active = {account.auth_config.id for account in accounts.items}
    key = {"pk": f"USER#{user_id}", "sk": "STATE"}
    if REQUIRED - active:
        table.update_item(
            Key=key,
            UpdateExpression="SET active = :active",
            ExpressionAttributeValues={":active": active},
        )
        return {"statusCode": 200, "body": json.dumps({"status": "waiting"})}
    record = composio.client.mcp.create_instance(server_id, user_id=user_id)
    table.put_item(Item={**key, "active": active, "instance": record.model_dump_json()})
    return {"statusCode": 200, "body": json.dumps({"status": "ready"})}
