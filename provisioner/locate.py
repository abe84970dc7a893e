"""Finds the stack: at AWS by its name, or the one that `make serve` runs on this machine."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError
from pydantic import BaseModel, ValidationError, field_validator

from provisioner import samconfig
from provisioner.errors import Trouble
from provisioner.stack import Clients, Stack

DEFAULT_NAME = "mcp-instance-provisioner"
NAME_VARIABLE = "PROVISIONER_STACK"
SAMCONFIG = "samconfig.toml"
SERVED = Path(".local", "stack.json")
NEEDED = frozenset({
    "AnnouncerFunctionName", "AnnouncerLogGroupName", "ApiArn", "ApiId", "BusName",
    "DeadLetterQueueUrl", "QueueUrl", "SecretId", "TableName", "WebhookFunctionName",
    "WebhookLogGroupName", "WebhookUrl", "WorkerFunctionName", "WorkerLogGroupName",
})  # fmt: skip
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}|arn:[\w:/-]+")


class Choice(NamedTuple):
    """Which stack is meant: its name, region and profile at AWS, or the one of `make serve`.

    What is None is as `sam deploy` of this checkout has it. `local` None is the stack of
    `make serve`, if one is running and nothing is said about AWS.
    """

    name: str | None = None
    region: str | None = None
    profile: str | None = None
    local: bool | None = None

    def options(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """Return the options that give this choice, beside the environment."""
        name = None if self.name == environment.get(NAME_VARIABLE) else self.name
        given = {"--stack-name": name, "--region": self.region, "--profile": self.profile}
        pairs = [part for name, value in given.items() if value for part in (name, value)]
        return (*pairs, *(["--aws"] if self.local is False else []))


class Served(BaseModel):
    """What `make serve` writes down about the stack that it runs, as far as it is needed here."""

    stack_name: str
    aws_endpoint_url: str
    region: str

    @field_validator("aws_endpoint_url")
    @classmethod
    def _on_this_machine(cls, url: str) -> str:
        if not re.fullmatch(r"http://(localhost|127\.0\.0\.1)(:\d+)?", url):
            raise ValueError("not an address of this machine")
        return url


def mistake(choice: Choice, environment: Mapping[str, str]) -> str:
    """Return what is wrong with the options, or "".

    An empty name is the value of a variable that is not set, and never means the default stack.
    """
    for option, value in choice._asdict().items():
        if value == "":
            return f"--{option.replace('name', 'stack-name')} is empty: is a variable not set?"
    if environment.get(NAME_VARIABLE) == "" and choice.name is None:
        return f"{NAME_VARIABLE} is set, but empty: give it a name, or unset it"
    if choice.name is not None and not _NAME.fullmatch(choice.name):
        return f"{choice.name!r} is not the name of a stack"
    if choice.local and any((choice.name, choice.region, choice.profile)):
        return (
            "--local is the stack of make serve: it goes without --stack-name "
            f"(or {NAME_VARIABLE}), --region and --profile"
        )
    return ""


def find(choice: Choice) -> Stack:
    """Find the stack; raises Trouble if there is none."""
    at_aws = choice.local is False or any((choice.name, choice.region, choice.profile))
    served = None if at_aws else _served()
    if served:
        return _served_stack(served)
    if choice.local:
        raise Trouble("make serve is not running in this folder or above it", "make serve")
    file, config = _samconfig()
    profile = choice.profile or config.get("profile")
    # boto3, unlike AWS's other tools, does not read AWS_REGION.
    region = choice.region or config.get("region") or os.environ.get("AWS_REGION") or None
    session = boto3.Session(profile_name=profile, region_name=region)
    stack = _described(choice.name or config.get("stack_name", DEFAULT_NAME), Clients(session))
    own = stack.name == config.get("stack_name") and region == config.get("region", region)
    options = choice.options(os.environ)
    return replace(stack, options=options, profile=profile, samconfig=file if own else None)


def _served_stack(served: Served) -> Stack:
    session = boto3.Session("test", "test", region_name=served.region)
    try:
        return _described(served.stack_name, Clients(session, served.aws_endpoint_url))
    except EndpointConnectionError:
        raise Trouble(
            f"the stack of make serve no longer answers at {served.aws_endpoint_url}",
            "make serve; for the stack at AWS: --aws",
        ) from None


def _described(name: str, clients: Clients) -> Stack:
    client = clients("cloudformation")
    try:
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise Trouble(
            f"there is no stack {name} in {client.meta.region_name}",
            "sam deploy --guided, or say --stack-name, --region, --profile; local: make serve",
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


def _samconfig() -> tuple[Path | None, dict[str, str]]:
    """Return the file and options with which `sam deploy` of this checkout would run."""
    for folder in _folders():
        try:
            config = tomllib.loads((folder / SAMCONFIG).read_text())
        except (OSError, ValueError) as error:
            if isinstance(error, FileNotFoundError) or not os.access(folder, os.X_OK):
                continue
            raise Trouble(f"{folder / SAMCONFIG} cannot be read: {error}", "correct it") from None
        found = samconfig.of_deploy(config)
        names = ("stack_name", "region", "profile")
        return folder / SAMCONFIG, {name: str(found[name]) for name in names if found.get(name)}
    return None, {}


def _folders() -> Iterator[Path]:
    """Yield the current folder and those above it; nothing if it has been removed."""
    try:
        here = Path.cwd()
    except OSError:
        return
    yield here
    yield from here.parents
