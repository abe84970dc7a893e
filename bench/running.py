"""Runs a function in a process of its own, as an execution environment is, and counts."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

PROBE = Path(__file__).with_name("probe.py")
VALGRIND = shutil.which("valgrind")
_COUNTER = ("--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={os.devnull}")


@dataclass(frozen=True)
class Subject:
    """What is measured: a module with a `lambda_handler`, and the folders to import from.

    The package is the last of them; `queued` where events come from the queue.
    """

    name: str
    module: str
    packages: tuple[Path, ...]
    queued: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    """Its own, beside what all have."""


@dataclass
class Spent:
    """What a process has used once it is gone; `instructions` only where they were counted."""

    cpu_seconds: float = 0.0
    memory_mb: float = 0.0
    instructions: int | None = None


class Function:
    """A function that takes events; `spent` is filled in at its end."""

    def __init__(self, process: subprocess.Popen[str], told: IO[str]) -> None:
        self._process = process
        self._told = told
        self.modules: list[str] = self._read()
        self.spent = Spent()

    def send(self, event: object) -> tuple[float, Any]:
        """Return the processor seconds that the event took, and the answer."""
        if self._process.stdin is None:
            raise RuntimeError("it was started without a standard input")
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        seconds, answer = self._read()
        return seconds, answer

    def end(self) -> None:
        """End it, and record what it has used."""
        memory = _peak_megabytes(self._process.pid)
        if self._process.stdin:
            self._process.stdin.close()
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.spent = Spent(usage.ru_utime + usage.ru_stime, memory)

    def _read(self) -> Any:  # noqa: ANN401 - whatever the function answered
        line = self._told.readline()
        if not line:
            raise RuntimeError("the function ended before it answered")
        return json.loads(line)


@contextlib.contextmanager
def running(
    subject: Subject,
    environment: Mapping[str, str],
    *,
    counted: bool = False,
    modules: bool = False,
) -> Iterator[Function]:
    """Start the function; what it has spent is known after the context.

    Args:
        subject: What to run.
        environment: The whole environment of the process.
        counted: Count instructions, which takes valgrind, and some thirty times as long.
        modules: Have the function say what it has imported, which would count, too.

    Raises:
        RuntimeError: The function failed; the message is the end of what it printed.
    """
    python = os.path.realpath(sys._base_executable)  # type: ignore[attr-defined]  # noqa: SLF001
    counter = (str(VALGRIND), *_COUNTER) if counted else ()
    # No site-packages, nothing from here, and no bytecode but what the package brings.
    command = [*counter, python, "-S", "-s", "-P", "-B", str(PROBE), subject.module]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [*command, *map(str, subject.packages)],
            env={**environment} | ({"BENCH_TELL_MODULES": "1"} if modules else {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
        contextlib.ExitStack() as stack,
    ):
        if process.stdout is None:
            raise RuntimeError("it was started without its pipes")
        stack.callback(process.kill)
        try:
            function = Function(process, process.stdout)
            yield function
            function.end()
        except (RuntimeError, BrokenPipeError) as error:
            process.kill()
            raise RuntimeError(f"{subject.name}: {_text(errors)[-2000:]}") from error
        said = _text(errors)
    if counted:
        found = re.search(r"I\s+refs:\s+([\d,]+)", said)
        if not found:
            raise RuntimeError(f"valgrind did not count: {said[-500:]}")
        function.spent.instructions = int(found[1].replace(",", ""))


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _peak_megabytes(pid: int) -> float:
    """Return the most memory it had; 0 where the kernel does not say.

    Not ru_maxrss, which includes memory of the process that started it.
    """
    status = Path("/proc", str(pid), "status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text() if status.exists() else "")
    return int(found[1]) / 1e3 if found else 0.0
