"""Starts the AWS emulator (ministack) on a free loopback port, and leaves nothing behind."""

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What a run writes; git-ignored.
RUNS = ROOT / ".local"
REGION = "us-east-1"

_PYTHON = ROOT / ".tools" / "emulator" / "bin" / "python"
_HEALTH = "/_ministack/health"
_START_SECONDS = 30.0
_SAVE_SECONDS = 10.0
_ATTEMPTS = 3


class EmulatorError(Exception):
    """The emulator did not start; the message ends with what it printed last."""


@contextlib.contextmanager
def run_folder(purpose: str) -> Iterator[Path]:
    """Make a folder in `.local/`, and remove it at the end of the context."""
    RUNS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f"{purpose}-", dir=RUNS, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


@contextlib.contextmanager
def emulator(*, state: Path | None = None, port: int | None = None) -> Iterator[str]:
    """Run an emulator for as long as the context lasts.

    It listens on 127.0.0.1 only and enforces the execution roles' policies. Any number can run
    at once. Needs `.tools/emulator` (`make tools-emulator`).

    Args:
        state: Folder to keep its state in, for an emulator that is started again on the same
            folder, and on the same port; none means that nothing is kept.
        port: The port; none means any that is free.

    Yields:
        The endpoint URL for AWS clients, e.g. `http://127.0.0.1:40123`.

    Raises:
        EmulatorError: It did not start.
    """
    with run_folder("emulator") as folder:
        process, endpoint_url = _start(folder, state, port)
        try:
            yield endpoint_url
        finally:
            _stop(process, seconds=_SAVE_SECONDS if state else 0)


def aws_environment(endpoint_url: str) -> dict[str, str]:
    """Return the environment in which an AWS client reaches this emulator and nothing else."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _start(
    folder: Path, state: Path | None, wanted: int | None
) -> tuple[subprocess.Popen[bytes], str]:
    if not _PYTHON.exists():
        raise EmulatorError("the emulator is not installed: make tools-emulator")
    # Another process may take the free port before the emulator does: then try again.
    for _ in range(_ATTEMPTS):
        port, mark = wanted or _port(state), secrets.token_hex(8)
        process = _spawn(folder, _environment(folder, state, port, mark))
        try:
            if _ready(process, port, mark):
                return process, f"http://127.0.0.1:{port}"
        except BaseException:
            _stop(process, seconds=0)
            raise
        _stop(process, seconds=0)
    output = (folder / "emulator.log").read_text(errors="replace")[-2000:]
    raise EmulatorError(f"the emulator did not start:\n{output}")


def _spawn(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    program = str(Path(__file__).with_name("emulator_process.py"))
    with (folder / "emulator.log").open("wb") as log:
        return subprocess.Popen(
            [str(_PYTHON), program],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A group of its own: Ctrl-C does not reach it, and its workers end with it.
            start_new_session=True,
        )


def _environment(folder: Path, state: Path | None, port: int, mark: str) -> dict[str, str]:
    """Return the whole environment; the functions inherit it, so it contains nothing else."""
    kept = {} if state is None else {"PERSIST_STATE": "1", "STATE_DIR": str(state.resolve())}
    return kept | {
        "PATH": os.defpath,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "AUTH": "true",
        # Shown by the health page: proves that this process answers on the port.
        "MINISTACK_EDITION": mark,
        # As Lambda does from the template's LoggingConfig, which the emulator does not read.
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
    }


def _port(state: Path | None) -> int:
    """Choose a port: the one kept with the state, because the queues' URLs contain it."""
    kept = state / "port" if state else None
    if kept and kept.exists():
        return int(kept.read_text())
    port = _free_port()
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(str(port))
    return port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ready(process: subprocess.Popen[bytes], port: int, mark: str) -> bool:
    """Wait until it answers; false if it ended or never did."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            with contextlib.closing(connection):
                connection.request("GET", _HEALTH)
                answer = json.loads(connection.getresponse().read())
            if answer.get("edition") == mark:
                return True
        time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes], *, seconds: float) -> None:
    """End it and all of its group; with seconds to save its state, if there are any."""
    if seconds:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()
