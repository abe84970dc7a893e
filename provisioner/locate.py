"""Finds the stack: at AWS by its name, or the one that `make serve` runs on this machine."""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import ClientError
from pydantic import BaseModel, ValidationError

from provisioner.errors import Trouble
from provisioner.stack import Clients, Stack

DEFAULT_NAME = "mcp-instance-provisioner"
SAMCONFIG = "samconfig.toml"
SERVED = Path(".local", "stack.json")
NEEDED = frozenset({
    "ApiId", "DeadLetterQueueUrl", "QueueUrl", "SecretId", "SweepRuleName", "TableName",
    "WebhookUrl",
})  # fmt: skip


class Target(NamedTuple):
    """Which stack is meant: its name at AWS, and whether it is the one of `make serve`.

    Without a name, samconfig.toml says it. `local` None is a served stack, if one is running and
    no name is given.
    """

    name: str | None = None
    local: bool | None = None


class Served(BaseModel):
    """What `make serve` writes down about the stack that it runs, as far as it is needed here."""

    stack_name: str
    aws_endpoint_url: str
    region: str

    def clients(self) -> Clients:
        """Return clients that reach the emulator and nothing else."""
        session = boto3.Session("test", "test", region_name=self.region)
        return Clients(session, self.aws_endpoint_url)


def find(target: Target) -> Stack:
    """Find the stack; raises Trouble if there is none."""
    look = target.local or (target.local is None and target.name is None)
    served = _served() if look else None
    if target.local and not served:
        raise Trouble("make serve is not running in this folder or above it", "make serve")
    if served:
        return _described(served.stack_name, served.clients())
    # boto3, unlike AWS's other tools, does not read AWS_REGION.
    session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    return _described(target.name or _configured(), Clients(session))


def _described(name: str, clients: Clients) -> Stack:
    client = clients("cloudformation")
    try:
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise Trouble(
            f"there is no stack {name} in {client.meta.region_name}",
            "sam deploy --guided, or say --stack-name, AWS_REGION, AWS_PROFILE; local: make serve",
        ) from None
    outputs = {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}
    if lacking := NEEDED - outputs.keys():
        status, names = found["StackStatus"], ", ".join(sorted(lacking))
        raise Trouble(
            f"the stack {name} ({status}) has no output {names}",
            "it is another stack, not finished, or an older release: sam deploy",
        )
    parameters = {
        item["ParameterKey"]: item["ParameterValue"] for item in found.get("Parameters", [])
    }
    return Stack(name, outputs, parameters, clients)


def _served() -> Served | None:
    for folder in _folders():
        try:
            return Served.model_validate_json((folder / SERVED).read_bytes())
        except OSError:
            continue
        except ValidationError:
            raise Trouble(
                f"{folder / SERVED} was written by another release",
                "end make serve and run it again; for the stack at AWS: --aws",
            ) from None
    return None


def _configured() -> str:
    """Return the stack's name as `sam deploy` of this checkout would take it."""
    for folder in _folders():
        try:
            config = tomllib.loads((folder / SAMCONFIG).read_text())
        except (OSError, ValueError):
            continue
        parameters = _parameters(config, "global") | _parameters(config, "deploy")
        return str(parameters.get("stack_name") or DEFAULT_NAME)
    return DEFAULT_NAME


def _parameters(config: object, command: str) -> dict[str, Any]:
    for key in ("default", command, "parameters"):
        config = config.get(key) if isinstance(config, dict) else None
    return config if isinstance(config, dict) else {}


def _folders() -> Iterator[Path]:
    """Yield the current folder and those above it; nothing if it has been removed."""
    try:
        here = Path.cwd()
    except OSError:
        return
    yield here
    yield from here.parents
