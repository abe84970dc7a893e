"""The deployed stack: its outputs and parameters, and clients of the services behind them."""

import os
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from handler.catalog import Catalog
from handler.catalog_table import CatalogTable
from handler.composio import Composio
from handler.dynamodb import Table
from handler.services import Services, Sources, wire
from handler.settings import Settings, enrolled_servers
from handler.transport import Transport
from handler.urls import LOOPBACK
from provisioner import environment
from provisioner.errors import Trouble

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

THREADS = 8
CALL_SECONDS = 20
"""For one call to Composio, with its repetition."""

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=2 * THREADS,
)
_EMULATED = Config(retries={"mode": "standard", "total_max_attempts": 1}, proxies={})
"""An emulator on this machine answers at once, or never."""


def connect(base_url: str) -> httpx.Client:
    """Return a client of Composio that uses the proxies of the environment.

    Raises Trouble if the environment does not allow one.
    """
    try:
        return httpx.Client(base_url=base_url, follow_redirects=False)
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        names = (*environment.PROXIES, "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")
        given = ", ".join(name for name in names if os.environ.get(name))
        raise Trouble(
            f"no HTTP client can be made: {type(error).__name__}",
            f"correct or unset {given or 'what is wrong with this machine'}",
        ) from None


def soon() -> float:
    """Return the deadline (Unix seconds) of one call to Composio."""
    return time.time() + CALL_SECONDS


class Clients:
    """The clients of one boto3 session, each made once; `endpoint_url` is an emulator's."""

    def __init__(self, session: boto3.Session, endpoint_url: str | None = None) -> None:
        self._session = session
        self._endpoint_url = endpoint_url
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:  # noqa: ANN401 - what is in it depends on the name
        """Return the client of a service, by boto3's name for it."""
        if service not in self._made:
            create: Any = self._session.client
            config = _CONFIG.merge(_EMULATED) if self._endpoint_url else _CONFIG
            try:
                client = create(service, config=config, endpoint_url=self._endpoint_url)
            except ValueError as error:
                if isinstance(error, BotoCoreError):
                    raise
                message = f"no client of {service} can be made: {error}"
                raise Trouble(message, "correct the AWS configuration or environment") from None
            self._made[service] = client
        return self._made[service]

    def close(self) -> None:
        """Close the connections."""
        for client in self._made.values():
            client.close()


class _Client[Of]:
    """An attribute of a stack: its client of one service, with that client's type."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __get__(self, stack: "Stack", _: type) -> Of:
        client: Of = stack.client(self._service)
        return client


@dataclass(frozen=True)
class Stack:
    """A stack; `client` returns a boto3 client by the name of its service.

    `options` find it again, `profile` is that of AWS, `sam deploy` deploys it by `samconfig`.
    """

    name: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    client: Callable[[str], Any]
    options: tuple[str, ...] = ()
    profile: str | None = None
    samconfig: Path | None = None

    dynamodb: ClassVar["_Client[DynamoDBClient]"] = _Client("dynamodb")
    sqs: ClassVar["_Client[SQSClient]"] = _Client("sqs")
    secrets: ClassVar["_Client[SecretsManagerClient]"] = _Client("secretsmanager")
    events: ClassVar["_Client[EventBridgeClient]"] = _Client("events")
    functions: ClassVar["_Client[LambdaClient]"] = _Client("lambda")
    logs: ClassVar["_Client[CloudWatchLogsClient]"] = _Client("logs")

    @property
    def webhook_url(self) -> str:
        """Where Composio has to send events.

        An emulator serves the API below its own address, not where the output says.
        """
        if not self.emulated:
            return self.outputs["WebhookUrl"]
        api = f"/_aws/execute-api/{self.outputs['ApiId']}/live"
        return f"{self.dynamodb.meta.endpoint_url}{api}/webhooks/composio"

    @property
    def where(self) -> str:
        """The region, or the address of the emulator."""
        meta = self.dynamodb.meta
        return meta.endpoint_url if self.emulated else meta.region_name

    @property
    def own_command(self) -> str:
        """How a command of `provisioner` for this stack begins."""
        return shlex.join(["provisioner", *self.options])

    @property
    def aws_command(self) -> str:
        """How a command of `aws` for this stack begins."""
        meta, options = self.dynamodb.meta, list[str]()
        if self.profile:
            options += ["--profile", self.profile]
        if self.emulated:
            options += ["--endpoint-url", meta.endpoint_url]
        return shlex.join(["aws", *options, "--region", meta.region_name])

    @property
    def enrolled(self) -> frozenset[str] | None:
        """The ids of the enrolled MCP servers; None for all."""
        return enrolled_servers(self.parameters["McpServerIds"])

    @cached_property
    def services(self) -> Services:
        """What the functions are built from, over this stack's table, queue and secret."""
        settings = Settings(
            table_name=self.outputs["TableName"],
            secret_id=self.outputs["SecretId"],
            queue_url=self.outputs["QueueUrl"],
            bus_name=self.outputs["BusName"],
            composio_base_url=self.parameters["ComposioBaseUrl"],
            mcp_server_ids=self.parameters["McpServerIds"],
        )
        return wire(settings, Sources(self.client, connect))

    @property
    def table(self) -> Table:
        """The table."""
        return self.services.target_table.table

    @property
    def catalog_table(self) -> CatalogTable:
        """The catalog, in the table."""
        return self.services.catalog_table

    @property
    def composio(self) -> Composio:
        """The calls to Composio."""
        return self.services.composio

    @property
    def transport(self) -> Transport:
        """Authorised requests to Composio."""
        return self.composio.transport

    @property
    def catalog(self) -> Catalog:
        """The enrolled MCP servers."""
        return self.services.catalog

    def close(self) -> None:
        """Close the connections that were made."""
        if isinstance(self.client, Clients):
            self.client.close()
        if "services" in vars(self) and "http" in vars(self.transport):
            self.transport.http.close()

    @property
    def emulated(self) -> bool:
        """Whether it is on an emulator of this machine."""
        return urlsplit(self.dynamodb.meta.endpoint_url).hostname in LOOPBACK
