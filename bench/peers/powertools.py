"""Peer (a), the Powertools way, as its documentation shows each part.

Event handler with validation, parser models, Logger, Metrics, Tracer, the parameters utility,
idempotency around the work (after the signature, so that who forges costs no table access), a
boto3 resource, `httpx.post`.
"""

import base64
import hashlib
import hmac
import os
import time
from typing import Any

import boto3
import httpx
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.exceptions import UnauthorizedError
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.parser import BaseModel
from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="peer")
tracer = Tracer(service="peer")
metrics = Metrics(namespace="Peer", service="peer")
app = APIGatewayRestResolver(enable_validation=True)
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])
# Beside the application's rows, in the one table: its documentation's "composite primary key".
store = DynamoDBPersistenceLayer(
    table_name=os.environ["TABLE_NAME"], key_attr="pk", sort_key_attr="sk"
)
config = IdempotencyConfig(event_key_jmespath="id")
REQUIRED = set(os.environ["REQUIRED_AUTH_CONFIG_IDS"].split(","))


class AuthConfig(BaseModel):
    """What was connected to."""

    id: str


class Account(BaseModel):
    """The connected account."""

    id: str
    user_id: str
    status: str
    auth_config: AuthConfig


class Envelope(BaseModel):
    """The event."""

    id: str
    type: str
    data: Account


@tracer.capture_method
def verify() -> None:
    """Raise unless Composio signed it lately."""
    headers, body = app.current_event.headers, app.current_event.body or ""
    secret = parameters.get_secret(os.environ["SECRET_ID"], transform="json", max_age=300)
    sent = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    key = secret["webhook_secrets"][0].encode()
    expected = "v1," + base64.b64encode(hmac.new(key, sent, hashlib.sha256).digest()).decode()
    late = abs(time.time() - int(headers["webhook-timestamp"])) > 300
    if late or not hmac.compare_digest(expected, headers["webhook-signature"]):
        raise UnauthorizedError("not authentic")


@tracer.capture_method
def create(user_id: str) -> str:
    """Create the instance, and return Composio's record."""
    secret = parameters.get_secret(os.environ["SECRET_ID"], transform="json", max_age=300)
    response = httpx.post(
        f"{os.environ['COMPOSIO_BASE_URL']}/api/v3/mcp/servers/{os.environ['MCP_SERVER_IDS']}/instances",
        json={"user_id": user_id},
        headers={"x-api-key": secret["composio_api_key"]},
    )
    response.raise_for_status()
    return response.text


@idempotent_function(  # type: ignore[untyped-decorator]
    data_keyword_argument="envelope", config=config, persistence_store=store
)
def process(envelope: dict[str, Any]) -> dict[str, str]:
    """Record the account, and create the instance when it is the last one."""
    account = Account.model_validate(envelope["data"])
    if account.status != "ACTIVE":
        return {"status": "ignored"}
    key = {"pk": f"USER#{account.user_id}", "sk": "STATE"}
    item: dict[str, Any] = table.update_item(
        Key=key,
        UpdateExpression="ADD active :new",
        ExpressionAttributeValues={":new": {account.auth_config.id}},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    if REQUIRED - item["active"]:
        return {"status": "waiting"}
    if "instance" not in item:
        table.update_item(
            Key=key,
            UpdateExpression="SET instance = :record",
            ExpressionAttributeValues={":record": create(account.user_id)},
        )
        metrics.add_metric(name="InstanceReady", unit=MetricUnit.Count, value=1)
    logger.info("instance is there", user_id=account.user_id)
    return {"status": "ready"}


@app.post("/webhooks/composio")
@tracer.capture_method
def webhook(envelope: Envelope) -> dict[str, str]:
    """Take a delivery."""
    verify()
    answer: dict[str, str] = process(envelope=envelope.model_dump())
    return answer


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway."""
    config.register_lambda_context(context)
    return app.resolve(event, context)
