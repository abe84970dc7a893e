"""Runs inside `.tools/emulator`: the emulator, set apart from the functions that it runs.

Not imported by anything; `local.emulator` starts it by its path. Standard library only.
Its standard input is a pipe from the starter: when that closes, however the starter ended,
everything that was started here ends too, and the folder of the run is removed.
"""

import importlib
import os
import runpy
import shutil
import signal
import sys
import threading
import venv
from pathlib import Path
from typing import Any


def end_with_the_starter(folder: str) -> None:
    """Wait for the end of standard input; then end the process group and remove its folder."""
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def keep_paths_as_sent() -> None:
    """Hand the path of a request to a REST API on percent-encoded, as AWS does."""
    gateway: Any = importlib.import_module("ministack.app")
    handle = gateway._handle_execute_api_request  # noqa: SLF001

    async def handle_as_on_aws(host: str, path: str, *rest: Any, **more: Any) -> object:  # noqa: ANN401
        return await handle(host, more.get("raw_path") or path, *rest, **more)

    gateway._handle_execute_api_request = handle_as_on_aws  # noqa: SLF001


def main() -> None:
    """Start the emulator; the settings are in the environment (see `local.emulator`)."""
    folder = os.environ["TMPDIR"]
    threading.Thread(target=end_with_the_starter, args=[folder], daemon=True).start()
    # The emulator runs functions with its own sys.executable, and so with its own packages:
    # an empty environment instead, as Lambda's is but for what the package brings.
    runtime = Path(folder, "runtime")
    venv.create(runtime, symlinks=True)
    sys.executable = str(runtime / "bin" / "python")
    sys.argv = ["ministack"]
    keep_paths_as_sent()
    runpy.run_module("ministack", run_name="__main__")


if __name__ == "__main__":
    main()
