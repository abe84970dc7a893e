"""What one has to know to deploy a stack to the emulator, and of a stack that runs there."""

import dataclasses
import json
import secrets
import sys
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
    or `*`. `webhook_secret` is any text: its UTF-8 bytes are the key.
    """

    composio_url: str
    composio_api_key: str
    mcp_server_ids: str = "*"
    webhook_secret: str = dataclasses.field(default_factory=lambda: secrets.token_hex(32))
    stack_name: str = "mcp-instance-provisioner"

    def overrides(self) -> dict[str, str]:
        """Give the template's parameters by name."""
        return {
            "ComposioBaseUrl": self.composio_url,
            "McpServerIds": self.mcp_server_ids,
            # The emulator does not know AWS::Logs::QueryDefinition.
            "SavedQueries": "no",
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack that runs: what a client, a test or an operator's tool has to know of it.

    `api_url` is the API's base.
    """

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
        """Write it as JSON, for one's eyes only: it names a secret."""
        RUNS.mkdir(exist_ok=True)
        STACK_FILE.touch(mode=0o600)
        STACK_FILE.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")


def read(path: Path = STACK_FILE) -> Stack:
    """Read what `Stack.write` wrote.

    Raises:
        FileNotFoundError: No stack was written there.
    """
    return Stack(**json.loads(path.read_text()))


def served() -> Stack:
    """Read what `make serve` runs; where nothing runs, say so and exit."""
    try:
        return read()
    except FileNotFoundError:
        sys.exit("no stack is running: make serve")
    except (TypeError, ValueError):
        sys.exit("the stack that runs is of another release: make serve again")


def url_of_api(endpoint_url: str, api_id: str) -> str:
    """Say where the emulator serves an API; the output's own URL is real AWS's."""
    return f"{endpoint_url}/_aws/execute-api/{api_id}/live"


def connection(endpoint_url: str) -> Connection:
    """Give the keyword arguments for `boto3.client`."""
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
