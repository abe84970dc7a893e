"""What the functions are invoked with."""

import json
from typing import Any

from handler.signature import sign
from tests.exploration.state import Fact, Message


def envelope(fact: Fact) -> dict[str, Any]:
    """Return what Composio would send about it."""
    kind = f"composio.connected_account.{fact.status.lower()}"
    data = {"connected_account_id": fact.id} if fact.bare else fact.shown()
    return {"id": "msg_1", "type": kind, "data": data}


def request(fact: Fact, now: int, *, key: str) -> dict[str, Any]:
    """Return the event of API Gateway that tells of it, signed at this time (Unix seconds)."""
    body = json.dumps(envelope(fact))
    headers = {
        "webhook-id": ["msg_1"],
        "webhook-timestamp": [str(now)],
        "webhook-signature": [sign("msg_1", str(now), body.encode(), key=key.encode())],
    }
    return {
        "httpMethod": "POST",
        "resource": "/webhooks/composio",
        "multiValueHeaders": headers,
        "body": body,
        "isBase64Encoded": False,
    }


def record(message: Message) -> dict[str, Any]:
    """Return the record of the event of SQS."""
    return {
        "messageId": message.id,
        "receiptHandle": message.id,
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": str(message.receives)},
    }
