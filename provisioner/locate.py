"""Finds the stack: at AWS by its name, or the one that `make serve` of this checkout runs."""

import os
import tomllib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from local import emulated_stack as served
from provisioner.errors import Trouble
from provisioner.stack import CONFIG, Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

DEFAULT_NAME = "mcp-instance-provisioner"
SAMCONFIG = Path("samconfig.toml")
NEEDED = frozenset({
    "ApiId", "DeadLetterQueueUrl", "QueueUrl", "SecretId", "SweepRuleName", "TableName",
    "WebhookUrl",
})  # fmt: skip


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
    connection: Mapping[str, Any] = {**running.connection} if running else _region()
    client: CloudFormationClient = boto3.client("cloudformation", config=CONFIG, **connection)
    try:
        with closing(client):
            (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise Trouble(
            f"there is no stack {name} in {client.meta.region_name}",
            "sam deploy --guided, or say --stack-name, AWS_REGION, AWS_PROFILE; local: make serve",
        ) from None
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    if lost := NEEDED - outputs.keys():
        raise Trouble(
            f"the stack {name} ({found['StackStatus']}) has no output {', '.join(sorted(lost))}",
            "it is another stack, not finished, or an older release: sam deploy",
        )
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}
    return Stack(name, outputs, parameters, connection)


def _served() -> served.Stack | None:
    try:
        return served.read()
    except FileNotFoundError:
        return None
    except (TypeError, ValueError):
        raise Trouble(
            f"{served.STACK_FILE} was written by another release",
            "end make serve and run it again; for the stack at AWS: --aws",
        ) from None


def _region() -> dict[str, str]:
    """Return the region of AWS_REGION, which boto3, alone of AWS's tools, does not know."""
    region = os.environ.get("AWS_REGION")
    return {"region_name": region} if region else {}


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
