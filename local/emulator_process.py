"""Runs inside `.tools/emulator`: the emulator, set apart from the functions that it runs.

Not imported by anything; `local.emulator` starts it by its path. Standard library only.
Its standard input is a pipe from the starter: when that closes, however the starter ended,
everything that was started here ends too, and the folder of the run is removed.
"""

import os
import runpy
import shutil
import signal
import sys
import threading
import venv
from pathlib import Path


def end_with_the_starter(folder: str) -> None:
    """Wait for the end of standard input; then end the process group and remove its folder."""
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


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
    runpy.run_module("ministack", run_name="__main__")


if __name__ == "__main__":
    main()
