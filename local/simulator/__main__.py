"""`python -m local.simulator`: serves the simulator on loopback until it is stopped."""

import argparse
import json
import os
import signal
import socket
import sys

import uvicorn

from local.simulator.app import application
from local.simulator.http_protocol import HttpProtocol
from local.simulator.project import DEFAULT_API_KEY, Project

_HOST = "127.0.0.1"


def main() -> None:
    """Run the command; its first line of output is `{"url": "http://127.0.0.1:PORT"}`."""
    options = _options()
    try:
        listening = _listen(options.port)
    except OSError as error:
        sys.exit(f"cannot listen on port {options.port}: {error.strerror}")
    url = f"http://{_HOST}:{listening.getsockname()[1]}"
    project = Project(url, api_key=options.api_key, demo=options.seed == "demo")
    # Uvicorn raises a signal again once it has shut down for it.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: None)
    print(json.dumps({"url": url}), flush=True)
    _server(project).run([listening])
    # There is nothing to save, and the interpreter's own clean-up takes longer than stopping.
    os._exit(0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=9900, help="0 picks a free one")
    parser.add_argument("--api-key", default=DEFAULT_API_KEY, help="%(default)s without")
    parser.add_argument("--seed", choices=["demo"], help="what the project begins with")
    return parser.parse_args()


def _listen(port: int) -> socket.socket:
    # Without the protocol asyncio does not switch off Nagle's algorithm: 40 ms per answer.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((_HOST, port))
    listening.listen(2048)
    return listening


def _server(project: Project) -> uvicorn.Server:
    """Build the HTTP server; it stops at once, whatever is still open."""
    return uvicorn.Server(
        uvicorn.Config(
            application(project),
            http=HttpProtocol,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_level="critical",
            access_log=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=0,
        )
    )


if __name__ == "__main__":
    main()
