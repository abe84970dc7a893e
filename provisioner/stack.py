"""The deployed stack, by its outputs, and what a command works on through it."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import httpx
from botocore.client import BaseClient
from botocore.config import Config

from handler.catalog import Catalog
from handler.catalog_table import CatalogTable
from handler.composio import Composio
from handler.dynamodb import Table
from handler.queue import Queue
from handler.services import Services, Sources, wire
from handler.settings import EVERY_SERVER, LOOPBACK, Settings
from handler.transport import Transport, connect
from handler.user_table import UserTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

THREADS = 8
CALL_SECONDS = 20
"""For one call to Composio, with its repetition."""

CONFIG = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=2 * THREADS,
)


def soon() -> float:
    """Return the deadline of one call to Composio."""
    return time.time() + CALL_SECONDS


def _read_at_once(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Read the page of a scan as the JSON that it is.

    botocore's parser looks up the shape of each value: 2 s for 10,000 users where this takes
    a tenth. Only binary values would need it, and the table has none.
    """
    if response_dict["status_code"] == httpx.codes.OK:
        customized_response_dict.update(json.loads(response_dict["body"]))
        response_dict["body"] = b"{}"


@dataclass(frozen=True)
class Stack:
    """A stack: its outputs and parameters; `connection` is what boto3's clients need besides."""

    name: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    connection: Mapping[str, Any]

    @property
    def webhook_url(self) -> str:
        """Where Composio has to send events.

        An emulator's API is not where the output says, but below the emulator's own address.
        """
        endpoint = self.dynamodb.meta.endpoint_url
        if urlsplit(endpoint).hostname not in LOOPBACK:
            return self.outputs["WebhookUrl"]
        return f"{endpoint}/_aws/execute-api/{self.outputs['ApiId']}/live/webhooks/composio"

    @property
    def where(self) -> str:
        """The region, or the address of the emulator."""
        meta = self.dynamodb.meta
        here = urlsplit(meta.endpoint_url).hostname in LOOPBACK
        return meta.endpoint_url if here else meta.region_name

    @property
    def enrolled(self) -> frozenset[str] | None:
        """The ids of the enrolled MCP servers; None for all."""
        ids = self.parameters["McpServerIds"]
        return None if ids == EVERY_SERVER else frozenset(ids.split(","))

    def close(self) -> None:
        """Close the connections of the clients that were made."""
        for made in vars(self).values():
            if isinstance(made, BaseClient | httpx.Client):
                made.close()

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """The client of DynamoDB."""
        client = boto3.client("dynamodb", config=CONFIG, **self.connection)
        client.meta.events.register("before-parse.dynamodb.Scan", _read_at_once)
        return client

    @cached_property
    def sqs(self) -> "SQSClient":
        """The client of SQS."""
        return boto3.client("sqs", config=CONFIG, **self.connection)

    @cached_property
    def secrets(self) -> "SecretsManagerClient":
        """The client of Secrets Manager."""
        return boto3.client("secretsmanager", config=CONFIG, **self.connection)

    @cached_property
    def events(self) -> "EventBridgeClient":
        """The client of EventBridge."""
        return boto3.client("events", config=CONFIG, **self.connection)

    @cached_property
    def functions(self) -> "LambdaClient":
        """The client of Lambda."""
        return boto3.client("lambda", config=CONFIG, **self.connection)

    @cached_property
    def services(self) -> Services:
        """What the functions are built from, over this stack's table, queue and secret."""
        clients = {
            "dynamodb": self.dynamodb,
            "sqs": self.sqs,
            "secretsmanager": self.secrets,
        }
        settings = Settings(
            table_name=self.outputs["TableName"],
            secret_id=self.outputs["SecretId"],
            queue_url=self.outputs["QueueUrl"],
            bus_name=self.outputs["BusName"],
            composio_base_url=self.parameters["ComposioBaseUrl"],
            mcp_server_ids=self.parameters["McpServerIds"],
        )
        return wire(settings, Sources(clients.__getitem__, connect))

    @property
    def table(self) -> Table:
        """The table."""
        return self.services.user_table.table

    @property
    def user_table(self) -> UserTable:
        """The users' part of the table."""
        return self.services.user_table

    @property
    def catalog_table(self) -> CatalogTable:
        """The catalog and the sweep's places, in the table."""
        return self.services.catalog_table

    @property
    def queue(self) -> Queue:
        """The queue."""
        return self.services.queue

    @property
    def composio(self) -> Composio:
        """Composio's verbs."""
        return self.services.composio

    @property
    def transport(self) -> Transport:
        """Authorised calls to Composio."""
        return self.composio.transport

    @property
    def catalog(self) -> Catalog:
        """The enrolled MCP servers."""
        return self.services.catalog
