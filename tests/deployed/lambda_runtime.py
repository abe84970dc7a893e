"""Runs a function as Lambda does: under AWS's runtime client and its runtime interface emulator.

The client is `awslambdaric`; the emulator is part of aws-sam-cli. The function finds its own
package and the client, and nothing else that is installed.
"""

import contextlib
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, NamedTuple

import httpx

from local.emulator import ROOT
from tests.deployed.application import until

_CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
_EMULATORS = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}
_INVOKE = "2015-03-31/functions/function/invocations"
_ATTEMPTS = 3


class Invocation(NamedTuple):
    """What was answered, and each line that the function printed; `errors` went to stderr."""

    request_id: str
    answer: Any
    lines: list[str]
    errors: str


class Runtime(NamedTuple):
    """One execution environment of a function."""

    url: str
    output: IO[str]
    errors: IO[str]

    def invoke(self, event: Mapping[str, Any]) -> Invocation:
        """Invoke the function, which may print nothing when it starts or between invocations."""
        answer = httpx.post(self.url, json=event, timeout=60, trust_env=False)
        printed = self.output.read().splitlines()
        first, *lines = [one for one in printed if not one.startswith(("END ", "REPORT "))]
        assert first.startswith("START RequestId: ")
        return Invocation(first.split()[2], answer.json(), lines, self.errors.read())


@contextlib.contextmanager
def started(
    package: Path, handler: str, environment: Mapping[str, str], folder: Path
) -> Iterator[Runtime]:
    """Run a function for as long as the context lasts.

    Args:
        package: The folder that Lambda would unpack.
        handler: As in the template, e.g. `handler.webhook.lambda_handler`.
        environment: All that the function has in its environment, except paths.
        folder: An empty one, for the client and for what is printed.
    """
    for module in _CLIENT:
        spec = find_spec(module)
        assert spec, f"{module} is not installed"
        file = Path(str(spec.origin))
        installed = file.parent if file.name == "__init__.py" else file
        (folder / installed.name).symlink_to(installed)
    paths = {"PATH": os.defpath, "PYTHONPATH": str(folder), "LAMBDA_TASK_ROOT": str(package)}
    # Without its module `site`, Python sees its standard library, PYTHONPATH and the package.
    client = [os.path.realpath(sys.executable), "-S", "-m", "awslambdaric", handler]
    for _ in range(_ATTEMPTS):  # another process may take a port before the emulator does
        port, runtime_port = _free_ports()
        command = [_emulator(), "--log-level", "warning"]
        command += ["--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
        command += ["--runtime-api-address", f"127.0.0.1:{runtime_port}", *client]
        with (folder / "output").open("wb") as out, (folder / "errors").open("wb") as err:
            process = subprocess.Popen(  # noqa: S603 -- of our own making
                command, cwd=package, env={**paths, **environment}, stdout=out, stderr=err
            )
        with process, (folder / "output").open() as output, (folder / "errors").open() as errors:
            try:
                if _starts(process, port):
                    yield Runtime(f"http://127.0.0.1:{port}/{_INVOKE}", output, errors)
                    return
            finally:
                process.kill()
    raise RuntimeError((folder / "errors").read_text())


def _emulator() -> str:
    name = f"samcli/local/rapid/{_EMULATORS[platform.machine()]}"
    (path,) = ROOT.glob(f".tools/sam/lib/python3.*/site-packages/{name}")
    return str(path)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _starts(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until it listens; false where it has ended."""

    def known() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return True
        return process.poll() is not None

    until(known, "the emulator starts")
    return process.poll() is None
