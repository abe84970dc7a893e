"""Runs the real `sam` from `.tools/sam`, so that it cannot reach a real AWS account."""

import collections
import contextlib
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping

from local.emulator import ROOT

# Called with each line that a slow step prints.
Progress = Callable[[str], None]

_SAM = ROOT / ".tools" / "sam" / "bin" / "sam"
_TAIL_LINES = 60
# Variables that would make `sam` use another account, environment or configuration.
_NOT_PASSED_ON = ("AWS_", "SAM_", "PYTHON", "VIRTUAL_ENV", "MAKE", "MFLAGS")


class SamError(Exception):
    """`sam` failed; the message ends with what it printed last."""


def silent(_line: str) -> None:
    """Show no progress."""


def sam(*arguments: str, environment: Mapping[str, str], progress: Progress = silent) -> None:
    """Run `sam` in the project's folder until it ends.

    Args:
        arguments: Its command line, without `sam`.
        environment: Added to this process's environment, from which AWS settings are removed.
        progress: Called with each line of output that is not empty.

    Raises:
        SamError: It is not installed, or it failed.
    """
    if not _SAM.exists():
        raise SamError("sam is not installed: make tools-sam")
    output = collections.deque[str](maxlen=_TAIL_LINES)
    with _started([str(_SAM), *arguments], _environment(environment)) as process:
        for line in process.stdout or ():
            if text := line.rstrip():
                output.append(text)
                progress(text)
    if process.returncode:
        raise SamError("\n".join([f"sam {arguments[0]} failed:", *output]))


def _environment(additions: Mapping[str, str]) -> dict[str, str]:
    inherited = os.environ.items()
    ours = {name: value for name, value in inherited if not name.startswith(_NOT_PASSED_ON)}
    ours |= {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.5", "COLUMNS": "200"}
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        ours["BUNDLE_ALSO_FOR_THIS_MACHINE"] = "1"
    return ours | dict(additions)


@contextlib.contextmanager
def _started(command: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process group of its own, which is killed if the context fails."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    with process:
        try:
            yield process
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
