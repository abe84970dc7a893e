"""SnapStart: what a snapshot contains, and that its copies do not behave alike."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from local.emulator import aws_environment
from local.sign import signed
from tests.deployed.application import GMAIL, SERVER, SLACK, Deployed, event, someone

SAMPLE = json.loads(Path("events/connected.json").read_text())


def proxied(deployed: Deployed, user: str) -> dict[str, Any]:
    """Return API Gateway's event for the request about the user's last account."""
    deployed.connect(user, GMAIL)
    body = event(deployed.account(user, SLACK)).decode()
    return signed({**SAMPLE, "body": body}, secret=deployed.secrets[0], now=int(time.time()))


def restored(deployed: Deployed, told: Path, *users: str) -> list[dict[str, Any]]:
    """Take a snapshot of the started function, and restore it once for each user's event."""
    environment = {
        **deployed.environment(),
        **aws_environment(deployed.stack.aws_endpoint_url),
        "AWS_LAMBDA_FUNCTION_NAME": "webhook",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": "src",
    }
    subprocess.run(  # noqa: S603 -- of our own making
        [sys.executable, "-m", "tests.deployed.restore", str(told)],
        input=json.dumps([proxied(deployed, user) for user in users]),
        check=True,
        env=environment,
        text=True,
    )
    return [json.loads(line) for line in told.read_text().splitlines()]


def test_snapshot_contains_what_takes_time_and_nothing_that_ages(
    deployed: Deployed, tmp_path: Path
) -> None:
    ada, bob = someone("restored"), someone("restored")

    found = restored(deployed, tmp_path / "told", ada, bob)

    assert [(one["httpx"], one["sockets"], one["secret"]) for one in found] == [
        (True, 0, False)
    ] * 2
    for one in found:
        (server,) = one["answer"]["targets"]
        assert (server["server_id"], server["status"]) == (SERVER, "ready")
    assert deployed.posts(ada)["posts"] == deployed.posts(bob)["posts"] == 1
    # Neither the delays nor the claim tokens of two environments are the same.
    assert found[0]["luck"] != found[1]["luck"]
    tokens = {deployed.row(user)["claim_token"] for user in (ada, bob)}
    assert len(tokens) == 2
