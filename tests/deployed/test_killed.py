"""Nothing is lost when the workers are killed by SIGKILL, and the emulator by SIGTERM."""

import os
import secrets
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

from local.emulator import emulator
from local.simulator.process import running
from tests.deployed.application import someone, until
from tests.deployed.conftest import Infrastructure, deployed_to
from tests.deployed.finishing import Finishing, make_due

USERS = 40


def workers(function: str) -> list[int]:
    """Return the processes that run this function; its name contains that of its stack."""
    listed = subprocess.run(
        ["/bin/ps", "-axww", "-o", "pid=,args="], check=True, capture_output=True, text=True
    )
    lines = listed.stdout.splitlines()
    return [int(line.split()[0]) for line in lines if f"-{function}-" in line]


def in_flight(finishing: Finishing) -> bool:
    calls = finishing.composio.ledger(method="POST", path="*/instances")
    return any(call["ended"] is None for call in calls)


def test_nothing_is_lost_when_workers_and_then_the_emulator_are_killed_in_mid_flight(
    infrastructure: Infrastructure, tmp_path: Path
) -> None:
    users = [someone("killed") for _ in range(USERS)]
    with running("--seed", "demo") as composio:
        with emulator(state=tmp_path) as url:
            mine = replace(infrastructure, endpoint_url=url, composio=composio)
            with deployed_to(mine, f"k{secrets.token_hex(4)}") as application:
                stack = application.stack
                composio.add_fault(method="POST", path="*/instances", latency=0.3, times=None)
                application.put(application.complete(*users))
                until(lambda: in_flight(application), "a call is in flight")
                for process in workers(stack.worker_function_name):
                    os.kill(process, signal.SIGKILL)
                until(lambda: len(composio.state()["instances"]) > USERS // 4, "it goes on")
                # Unless this test has slept so long that all is done.
                until(
                    lambda: in_flight(application) or application.all_ready(users),
                    "a call is in flight once more",
                )
        composio.clear_faults()
        with emulator(state=tmp_path) as again:
            assert again == url
            application = Finishing(stack, composio)
            # Instead of waiting for the leases of the killed workers to end.
            for user, row in application.rows(users).items():
                if row.get("status") == "creating":
                    make_due(application, user)
            application.sweep_until(lambda: application.all_ready(users), "all are ready")
            for user in users:
                posts = application.posts(user)
                assert (posts["created"], posts["max_in_flight"]) == (1, 1)
            assert application.dead() == 0
            application.close()
