"""README's "Deploy", pasted by a new user; and what is left when the stack is deleted."""

import json
import os
import re
import subprocess
from pathlib import Path

import boto3

from local.emulated_stack import connection
from local.emulator import aws_environment
from local.simulator.process import running
from local.simulator.project import DEFAULT_API_KEY
from tests.deployed.application import BOTH, GMAIL
from tests.deployed.checkout import ROOT, checkout
from tests.deployed.conftest import Infrastructure

NAME = "first-hour"
CONFIG = """
parameter_overrides = "ComposioBaseUrl={composio} PublicUrl={api} SavedQueries=no {guided}"
tags = "ms-custom-id={name}"
"""
GUIDED = r"McpServerIds=\"\" Release=\"1\""
"""As `sam deploy --guided` saves them."""
TYPED = {
    "sam build && sam deploy": "y\n",
    "make provisioner": "",
    ".tools/provisioner/bin/provisioner init": f"{DEFAULT_API_KEY}\nsrv_demo\n",
}


def clone(to: Path, **config: str) -> Path:
    """Clone afresh, beside tools that a user has already, and with parameters for the emulator."""
    folder = checkout(to)
    tools = folder / ".tools"
    tools.unlink()
    tools.mkdir()
    for tool in ("sam", "uv"):
        (tools / tool).symlink_to(ROOT / ".tools" / tool)
    file = folder / "samconfig.toml"
    text = file.read_text().replace('"mcp-instance-provisioner"', f'"{NAME}"')
    file.write_text(text + CONFIG.format(name=NAME, guided=GUIDED, **config))
    return folder


def pasted(folder: Path, endpoint_url: str, command: str, typed: str = "", code: int = 0) -> str:
    """Run a command as it stands there, type, and return what was printed."""
    path = f"{folder / '.tools' / 'sam' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    settings = {"PATH": path, "SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.5"}
    ran = subprocess.run(  # noqa: S603 - of the README
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=os.environ | settings | aws_environment(endpoint_url),
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stdout
    return ran.stdout


def test_three_commands_make_a_stack_that_is_known_to_work(
    infrastructure: Infrastructure, tmp_path: Path
) -> None:
    readme = (ROOT / "README.md").read_text().split("\n## Deploy\n")[1]
    (block,) = re.findall(r"```sh\n(.*?)```", readme.split("\n## ")[0], flags=re.DOTALL)
    commands = [line.partition("  #")[0].strip() for line in block.splitlines()]
    assert commands == list(TYPED)

    at = infrastructure.endpoint_url
    with running("--seed", "demo") as composio:
        for user, configs in {"user_1": BOTH, "user_2": [GMAIL]}.items():
            for one in configs:
                composio.add_account(user, one)
        api = f"{at}/_aws/execute-api/{NAME}/live"
        folder = clone(tmp_path / "a project", composio=composio.url, api=api)
        said = [pasted(folder, at, command, TYPED[command]) for command in commands]
        again = pasted(folder, at, f"{commands[-1]} --json")

    assert re.search(r"srv_demo +demo +ac_gmail, ac_slack +no +1 user\b", said[-1])
    assert "✗" not in said[-1]
    assert f"callback URL: {api}/oauth/callback" in said[-1]
    config = (folder / "samconfig.toml").read_text()
    assert r"McpServerIds=\"srv_demo\" Release=\"2\"" in config
    _, webhook, findings, application = map(json.loads, filter(printed, again.splitlines()))
    assert (webhook["changed"], webhook["secret_added"]) == ([], False)
    assert not [one for one in findings if one["level"] == "error"]
    assert application["API"] == api
    assert "updating the stack" not in again

    pasted(folder, at, "sam delete --no-prompts")
    tables = boto3.client("dynamodb", **connection(at)).list_tables()["TableNames"]
    assert [table for table in tables if table.startswith(NAME)]


def printed(line: str) -> bool:
    """Whether a line of JSON is a result, and not a message beside it."""
    return not line.startswith('{"message"')
