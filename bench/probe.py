"""Stands in for Lambda: `probe.py MODULE PACKAGE…` imports a function and hands it events.

Standard library only, and run without site-packages: what is measured is the package. One JSON
event a line comes in, one line goes out: `modules`, once it is imported, then each answer with
the processor seconds that it took. At the end of the input the process is gone at once, as an
execution environment is: what Python does to tidy up never happens on Lambda.
"""

import importlib
import json
import os
import sys
import time


class Context:
    """What the handlers ask of Lambda's context."""

    function_name = "bench"
    function_version = "$LATEST"
    memory_limit_in_mb = "1024"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:bench"
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """Ten times the template's timeout, because valgrind is slow."""
        return 250_000


def main(module: str, *packages: str) -> None:
    """Serve standard input."""
    # What the function prints would go to its log; answers get a descriptor of their own.
    wire = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.path[:0] = packages
    function = importlib.import_module(module).lambda_handler
    tell = os.environ.get("BENCH_TELL_MODULES")
    wire.write(json.dumps(sorted(sys.modules) if tell else []) + "\n")
    for line in sys.stdin:
        event, begun = json.loads(line), time.process_time()
        try:
            answer = function(event, Context())
        except Exception as error:  # noqa: BLE001 - as Lambda answers it
            answer = {"errorType": type(error).__name__, "errorMessage": str(error)[:500]}
        wire.write(json.dumps([time.process_time() - begun, answer]) + "\n")
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
