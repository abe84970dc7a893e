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

from handler.bookmarks import Bookmarks
from handler.catalog import Catalog
from handler.composio import Composio
from handler.credentials import Credentials
from handler.dynamodb import Store
from handler.settings import EVERY_SERVER, LOOPBACK
from handler.table import Table
from handler.tasks import Queue
from handler.transport import Transport, connect

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
    def store(self) -> Store:
        """Reads and conditional writes."""
        return Store(self.dynamodb, self.outputs["TableName"])

    @cached_property
    def table(self) -> Table:
        """The users' part of the table."""
        return Table(self.store)

    @cached_property
    def bookmarks(self) -> Bookmarks:
        """The sweep's part of the table."""
        return Bookmarks(self.store)

    @cached_property
    def queue(self) -> Queue:
        """The queue."""
        return Queue(self.sqs, self.outputs["QueueUrl"])

    @cached_property
    def transport(self) -> Transport:
        """Authorised calls to Composio."""
        credentials = Credentials(self.secrets, self.outputs["SecretId"])
        return Transport(lambda: self.http, credentials)

    @cached_property
    def http(self) -> httpx.Client:
        """Connections to Composio."""
        return connect(self.parameters["ComposioBaseUrl"].rstrip("/"))

    @cached_property
    def composio(self) -> Composio:
        """Composio's verbs."""
        return Composio(self.transport)

    @cached_property
    def catalog(self) -> Catalog:
        """The enrolled MCP servers."""
        return Catalog(self.bookmarks, self.composio, self.enrolled)
