"""A stack on the emulator: what it is deployed with, and how to reach it."""

import dataclasses
import hashlib
import json
import secrets
from pathlib import Path
from typing import TypedDict

import boto3

from local.emulator import REGION, RUNS

STACK_FILE = RUNS / "stack.json"


class Connection(TypedDict):
    """The keyword arguments with which boto3 reaches the emulator and nothing else."""

    endpoint_url: str
    region_name: str
    aws_access_key_id: str
    aws_secret_access_key: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameters:
    """What to deploy with.

    `composio_url` is https, or http on loopback. `mcp_server_ids` are ids separated by commas,
    or `*`. `webhook_secret` is any text: its UTF-8 bytes are the key. `more` are other parameters
    of the template, by name.
    """

    composio_url: str
    composio_api_key: str
    mcp_server_ids: str = "*"
    webhook_secret: str = dataclasses.field(default_factory=lambda: secrets.token_hex(32))
    stack_name: str = "mcp-instance-provisioner"
    more: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def api_id(self) -> str:
        """The API's id. The emulator takes it from a tag; AWS makes one up."""
        return hashlib.sha256(self.stack_name.encode()).hexdigest()[:10]

    def api_url(self, endpoint_url: str) -> str:
        """Return the API's base; the output's own URL is that of the real AWS."""
        return f"{endpoint_url}/_aws/execute-api/{self.api_id}/live"

    def overrides(self, endpoint_url: str) -> dict[str, str]:
        """Return the template's parameters by name."""
        return self.more | {
            # The emulator tells a function nothing of how it was reached.
            "PublicUrl": self.api_url(endpoint_url),
            "ComposioBaseUrl": self.composio_url,
            "McpServerIds": self.mcp_server_ids,
            # The emulator does not know AWS::Logs::QueryDefinition.
            "SavedQueries": "no",
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stack:
    """A running stack. `api_url` is the API's base, the rest are the template's outputs."""

    stack_name: str
    api_url: str
    aws_endpoint_url: str
    region: str
    table_name: str
    secret_id: str
    bus_name: str
    queue_url: str
    dead_letter_queue_url: str
    webhook_function_name: str
    webhook_log_group_name: str
    worker_function_name: str
    worker_log_group_name: str
    announcer_function_name: str
    announcer_log_group_name: str
    composio_url: str
    webhook_secret: str

    @property
    def webhook_url(self) -> str:
        """Where Composio sends its events."""
        return f"{self.api_url}/webhooks/composio"

    @property
    def callback_url(self) -> str:
        """Where Composio sends the browser back to."""
        return f"{self.api_url}/oauth/callback"

    @property
    def connection(self) -> Connection:
        """The keyword arguments for `boto3.client`."""
        return connection(self.aws_endpoint_url)

    def write(self) -> None:
        """Write it as JSON that only its owner can read, because it contains a secret."""
        RUNS.mkdir(exist_ok=True)
        STACK_FILE.touch(mode=0o600)
        STACK_FILE.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")


def read(path: Path = STACK_FILE) -> Stack:
    """Read what `Stack.write` wrote.

    Raises:
        FileNotFoundError: No stack was written there.
        ValueError, TypeError: It was written by another release.
    """
    return Stack(**json.loads(path.read_text()))


def connection(endpoint_url: str) -> Connection:
    """Return the keyword arguments for `boto3.client`."""
    return {
        "endpoint_url": endpoint_url,
        "region_name": REGION,
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }


def fill_secret(
    endpoint_url: str, secret_id: str, *, composio_api_key: str, webhook_secrets: list[str]
) -> None:
    """Put the values into the stack's secret: after the deploy, or to rotate them."""
    client = boto3.client("secretsmanager", **connection(endpoint_url))
    values = {"composio_api_key": composio_api_key, "webhook_secrets": webhook_secrets}
    client.put_secret_value(SecretId=secret_id, SecretString=json.dumps(values))
