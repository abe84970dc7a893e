"""The deployed stack, found by its outputs, and what a command works on through it."""

import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from botocore.config import Config
from botocore.exceptions import ClientError

from cli.trouble import Trouble
from handler.bookmarks import Bookmarks
from handler.catalog import Catalog
from handler.composio import Composio
from handler.credentials import Credentials
from handler.dynamodb import Store
from handler.settings import EVERY_SERVER, LOOPBACK
from handler.table import Table
from handler.tasks import Queue
from handler.transport import Transport, connect
from local import stack as served

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

DEFAULT_NAME = "mcp-instance-provisioner"
SAMCONFIG = Path("samconfig.toml")
THREADS = 8
CALL_SECONDS = 20
"""For one call to Composio, with its repetition."""

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=2 * THREADS,
)


def soon() -> float:
    """Return the deadline of one call to Composio."""
    return time.time() + CALL_SECONDS


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

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """The client of DynamoDB."""
        return boto3.client("dynamodb", config=_CONFIG, **self.connection)

    @cached_property
    def sqs(self) -> "SQSClient":
        """The client of SQS."""
        return boto3.client("sqs", config=_CONFIG, **self.connection)

    @cached_property
    def secrets(self) -> "SecretsManagerClient":
        """The client of Secrets Manager."""
        return boto3.client("secretsmanager", config=_CONFIG, **self.connection)

    @cached_property
    def events(self) -> "EventBridgeClient":
        """The client of EventBridge."""
        return boto3.client("events", config=_CONFIG, **self.connection)

    @cached_property
    def functions(self) -> "LambdaClient":
        """The client of Lambda."""
        return boto3.client("lambda", config=_CONFIG, **self.connection)

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
        provider = SecretsProvider(boto3_client=self.secrets)
        credentials = Credentials(provider, self.outputs["SecretId"])
        return Transport(connect(self.parameters["ComposioBaseUrl"].rstrip("/")), credentials)

    @cached_property
    def composio(self) -> Composio:
        """Composio's verbs."""
        return Composio(self.transport)

    @cached_property
    def catalog(self) -> Catalog:
        """The enrolled MCP servers."""
        return Catalog(self.bookmarks, self.composio, self.enrolled)


def find(name: str | None, *, local: bool | None) -> Stack:
    """Find the stack.

    Args:
        name: Of the stack at AWS; None for what samconfig.toml says.
        local: Whether it is the one of `make serve`; None: if one is running, and no name given.

    Raises:
        Trouble: It is not there.
    """
    running = _served() if local or (local is None and name is None) else None
    if local and not running:
        raise Trouble("no stack is being served by this checkout", "make serve")
    name = running.stack_name if running else name or _configured()
    connection: Mapping[str, Any] = {**running.connection} if running else {}
    client: CloudFormationClient = boto3.client("cloudformation", config=_CONFIG, **connection)
    try:
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise Trouble(
            f"there is no stack {name} in {client.meta.region_name}",
            "sam deploy --guided, or say --stack-name, AWS_REGION, AWS_PROFILE; local: make serve",
        ) from None
    return Stack(
        name,
        {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])},
        {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])},
        connection,
    )


def _served() -> served.Stack | None:
    try:
        return served.read()
    except FileNotFoundError:
        return None


def _configured() -> str:
    """Return the stack's name as `sam deploy` of this folder would take it."""
    try:
        default = tomllib.loads(SAMCONFIG.read_text())["default"]
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return DEFAULT_NAME
    for part in ("deploy", "global"):
        if name := default.get(part, {}).get("parameters", {}).get("stack_name"):
            return str(name)
    return DEFAULT_NAME
