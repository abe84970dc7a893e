"""docs/integrate.md as somebody follows it: its policies, its template, and both backends."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import boto3
import pytest

from local.emulated_stack import Stack
from tests.deployed.application import BOTH, someone
from tests.deployed.finishing import Finishing

PAGE = Path("docs/integrate.md").read_text()
INSTALL_SECONDS = 120


def block(language: str) -> str:
    """Return the one block of the page that is in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture
def environment(queue_stack: Finishing) -> Iterator[dict[str, str]]:
    """Return that of a backend whose role has the policies of the page, and nothing else."""
    stack, iam, name = queue_stack.stack, queue_stack.iam, someone("backend")
    with contextlib.closing(boto3.client("cloudformation", **stack.connection)) as cloudformation:
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=block("yaml"),
            Parameters=[{"ParameterKey": "BusName", "ParameterValue": stack.bus_name}],
            Capabilities=["CAPABILITY_IAM"],
        )
        made = cloudformation.get_waiter("stack_create_complete")
        made.wait(StackName=name, WaiterConfig={"Delay": 1})
        (found,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        outputs = {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
        api = f"arn:aws:execute-api:{stack.region}:*:{stack.api_url.split('/')[-2]}/live"
        policy = re.sub(r'"[^"\s]+(?=/(POST|GET)/)', f'"{api}', block("json"))
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="invoke", PolicyDocument=policy)
        iam.attach_user_policy(UserName=name, PolicyArn=outputs["PolicyArn"])
        key = iam.create_access_key(UserName=name)["AccessKey"]
        yield {
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_ENDPOINT_URL": stack.aws_endpoint_url,
            "AWS_DEFAULT_REGION": stack.region,
            "AWS_REGION": stack.region,
            "API_URL": stack.api_url,
            "QUEUE_URL": outputs["QueueUrl"],
            "COMPOSIO_API_KEY": "ak_simulator",
        }
        cloudformation.delete_stack(StackName=name)


def follow(
    command: list[str], folder: Path, environment: dict[str, str], finishing: Finishing
) -> None:
    """Run a backend for a user who then connects everything."""
    user = someone("reader")
    with subprocess.Popen(  # noqa: S603 - our own document
        [*command, user], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as backend:
        try:
            assert backend.stdout
            link = backend.stdout.readline()
            assert link.startswith(f"{finishing.stack.api_url}/connect?"), link
            assert finishing.connect(user, *BOTH).instance == ("ready", [])
            tools = f"{user} GMAIL_WHO_AM_I SLACK_WHO_AM_I\n"
            assert backend.stdout.readline() == tools
        finally:
            backend.kill()


def test_python_backend_gives_its_agent_the_tools(
    environment: dict[str, str], finishing: Finishing, tmp_path: Path
) -> None:
    (tmp_path / "backend.py").write_text(block("python"))
    follow([sys.executable, "backend.py"], tmp_path, environment, finishing)


def test_node_backend_gives_its_agent_the_tools(
    environment: dict[str, str], finishing: Finishing, tmp_path: Path
) -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    (packages,) = re.findall(r"`npm install ([^`]+)`", PAGE)
    options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    installed = subprocess.run(  # noqa: S603 - our own document
        ["npm", "install", *options, *packages.split()],  # noqa: S607 - where it is, is not ours
        cwd=tmp_path,
        check=False,
        capture_output=True,
        timeout=INSTALL_SECONDS,
    )
    if installed.returncode:
        pytest.skip("npm cannot fetch the packages")
    (tmp_path / "backend.mjs").write_text(block("js"))
    follow(["node", "backend.mjs"], tmp_path, environment, finishing)


def test_page_describes_what_make_serve_writes_down() -> None:
    described = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)

    assert described
    assert set(described) <= {field.name for field in fields(Stack)}
