"""A simulator in a process of its own, for tests and demos."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

from local.simulator.client import Simulator

_PATIENCE = 5


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Simulator]:
    """Run a simulator with these command line arguments on a free port and yield its client.

    Start it from the root of the repository.
    """
    command = [sys.executable, "-m", "local.simulator", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            first = process.stdout.readline() if process.stdout else ""
            if not first:
                raise RuntimeError("the simulator did not start")
            with contextlib.closing(Simulator(json.loads(first)["url"])) as simulator:
                yield simulator
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
            process.kill()
