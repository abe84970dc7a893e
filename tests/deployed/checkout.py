"""A copy of the project with the tools of this one, and commands that run in it.

There, what a command leaves behind is not confused with what other processes do in the project.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_PARTS = (
    "LICENSE",
    "Makefile",
    "README.md",
    "template.yaml",
    "samconfig.toml",
    "pyproject.toml",
    ".python-version",
)
_FOLDERS = ("src", "local", "provisioner", "events")
# The settings of the make that runs the tests, and of whoever works with Composio here.
_NOT_PASSED_ON = ("MAKE", "MFLAGS", "COMPOSIO_", "MCP_")


def checkout(to: Path) -> Path:
    """Copy the project to a folder that does not exist yet."""
    to.mkdir()
    for part in _PARTS:
        shutil.copy2(ROOT / part, to / part)
    for folder in _FOLDERS:
        shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (to / ".tools").symlink_to(ROOT / ".tools")
    # Older than the tools, however new this project is: `make` must not install them again.
    for listed in [to / ".python-version", *to.rglob("requirements*.txt")]:
        os.utime(listed, (0, 0))
    return to


@contextlib.contextmanager
def started(folder: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command in the folder, as a process group of its own; read what it says in `stdout`."""
    with subprocess.Popen(  # noqa: S603 - the commands are those of the tests
        command,
        cwd=folder,
        env={name: text for name, text in os.environ.items() if not _foreign(name)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            # After a test that has failed.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def left_in(folder: Path) -> list[str]:
    """List the processes that still run there, and what a run has left there."""
    listed = subprocess.run(
        ["/bin/ps", "-axww", "-o", "args="], check=True, capture_output=True, text=True
    )
    running = [line for line in listed.stdout.splitlines() if str(folder) in line]
    runs = folder / ".local"
    return running + (sorted(each.name for each in runs.iterdir()) if runs.exists() else [])


def _foreign(name: str) -> bool:
    return name.startswith(_NOT_PASSED_ON)
