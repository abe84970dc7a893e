"""Starts `make serve`, pastes the commands that it prints, and ends it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local.emulated_stack import Stack
from local.serve import READY
from local.simulator.client import Simulator
from tests.deployed.application import PATIENCE_SECONDS, until
from tests.deployed.checkout import left_in, started


@dataclass(frozen=True)
class Served:
    """What `make serve` said in this folder, and what it runs."""

    folder: Path
    said: str
    stack: Stack
    simulator: Simulator


@contextlib.contextmanager
def serving(
    folder: Path, *variables: str, ended_by: signal.Signals = signal.SIGTERM
) -> Iterator[str]:
    """Run `make serve` and yield what it said until it was ready; it must end cleanly."""
    with started(folder, "make", "serve", *variables) as serve:
        assert serve.stdout
        said = "".join(until_said(serve.stdout, READY))
        try:
            assert serve.poll() is None, said
            yield said
        finally:
            if ended_by is signal.SIGINT:  # as a terminal does it
                os.killpg(serve.pid, ended_by)
            else:
                serve.send_signal(ended_by)
            rest, _ = serve.communicate(timeout=PATIENCE_SECONDS)
    assert "nothing is left running" in rest
    assert "Traceback" not in rest
    assert left_in(folder) == []


def until_said(lines: Iterable[str], end: str) -> Iterator[str]:
    """Yield the lines up to the one that ends so."""
    for line in lines:
        yield line
        if line.rstrip().endswith(end):
            return


def pasted(folder: Path, command: str, *, check: bool = True) -> str:
    """Run a command as another terminal would."""
    run = subprocess.run(  # noqa: S603 - the commands are ours
        ["/bin/sh", "-c", command], cwd=folder, check=check, stdout=subprocess.PIPE, text=True
    )
    return run.stdout


def titled(said: str, start: str) -> list[str]:
    """Return the printed commands below the one title that starts so."""
    (block,) = re.findall(rf"^# {start}.*\n((?:[^#\s].*\n)*)", said, re.MULTILINE)
    return str(block).splitlines()


def operating(said: str) -> list[str]:
    """Return the printed commands of the operator, to run in the environment of the tests."""
    ours = f"PYTHONPATH=src:. {sys.executable} -m provisioner"
    install, *commands = titled(said, "operate")
    assert install == "make provisioner"
    return [each.replace(".tools/provisioner/bin/provisioner", ours) for each in commands]


def shows(folder: Path, command: str, pattern: re.Pattern[str]) -> str:
    """Paste the command until its output matches, and return that."""

    def shown() -> str:
        said = pasted(folder, command, check=False)
        return said if pattern.search(said) else ""

    return until(shown, f"{command} shows {pattern.pattern}")
