"""Runs inside `.tools/emulator`: the emulator, isolated from the functions that it runs.

Not imported by anything; `local.emulator` starts it by its path. Standard library only.
Its standard input is a pipe from the process that started it. When the pipe closes, for whatever
reason, everything that was started here ends too, and the folder of the run is removed.
"""

import hashlib
import importlib
import os
import runpy
import shutil
import signal
import sys
import threading
import venv
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_BATCHES = {f"sqs:{call}Batch" for call in ("SendMessage", "DeleteMessage")}


def end_with_parent(folder: str) -> None:
    """Wait for the end of standard input; then end the process group and remove its folder."""
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def correct() -> None:
    """Correct two differences from AWS; the emulator's version is locked."""
    actions: Any = importlib.import_module("ministack.core.iam_actions")
    named = actions.extract_iam_action

    def named_as_on_aws(*request: object) -> str | None:
        # The batch call has no action of its own (service authorization reference).
        return str(name).removesuffix("Batch") if (name := named(*request)) in _BATCHES else name

    actions.extract_iam_action = named_as_on_aws

    functions: Any = importlib.import_module("ministack.services.lambda_svc")
    concurrency = functions._sqs_esm_concurrency  # noqa: SLF001

    def concurrency_as_on_aws(source: dict[str, Any], *rest: object) -> int:
        # CloudFormation passes a parameter on as text; comparing it with a number fails, and
        # ends the polling of every queue.
        if most := (source.get("ScalingConfig") or {}).get("MaximumConcurrency"):
            source["ScalingConfig"]["MaximumConcurrency"] = int(most)
        return int(concurrency(source, *rest))

    functions._sqs_esm_concurrency = concurrency_as_on_aws  # noqa: SLF001


def keep_paths_as_sent() -> None:
    """Pass the path of a request on percent-encoded to a REST API, as AWS does."""
    gateway: Any = importlib.import_module("ministack.app")
    handle = gateway._handle_execute_api_request  # noqa: SLF001

    async def handle_as_on_aws(host: str, path: str, *rest: Any, **more: Any) -> object:
        return await handle(host, more.get("raw_path") or path, *rest, **more)

    gateway._handle_execute_api_request = handle_as_on_aws  # noqa: SLF001


class Package(zipfile.ZipFile):
    """A function's package, unpacked once for all the execution environments that run it.

    On AWS none of them can write to it either. A copy for each would cost more than the rest of
    a cold start.
    """

    _one_at_a_time = threading.Lock()

    def extractall(self, path: Any = None, *_: object) -> None:  # noqa: ANN401
        """Unpack the package if that has not been done, and make the folder a link to it."""
        files = repr([(each.filename, each.CRC) for each in self.infolist()])
        name = f"package-{hashlib.sha256(files.encode()).hexdigest()}"
        unpacked = Path(os.environ["TMPDIR"], name)
        with self._one_at_a_time:
            if not unpacked.exists():
                scratch = unpacked.with_suffix(".part")
                super().extractall(scratch)
                scratch.rename(unpacked)
        Path(path).rmdir()
        Path(path).symlink_to(unpacked)


def share_packages() -> None:
    """Have the execution environments of a function share its package."""
    runtime: Any = importlib.import_module("ministack.core.lambda_runtime")
    runtime.zipfile = SimpleNamespace(**vars(zipfile) | {"ZipFile": Package})


def main() -> None:
    """Start the emulator; the settings are in the environment (see `local.emulator`)."""
    folder = os.environ["TMPDIR"]
    threading.Thread(target=end_with_parent, args=[folder], daemon=True).start()
    # The emulator runs functions with its own sys.executable, and so with its own packages.
    # Give them an empty environment instead, as on Lambda.
    runtime = Path(folder, "runtime")
    venv.create(runtime, symlinks=True)
    sys.executable = str(runtime / "bin" / "python")
    sys.argv = ["ministack"]
    correct()
    keep_paths_as_sent()
    share_packages()
    runpy.run_module("ministack", run_name="__main__")


if __name__ == "__main__":
    main()
