"""`python -m local.simulator`: serves the simulator on loopback until it is told to stop."""

import argparse
import json
import os
import signal
import sys

from local.simulator.project import DEFAULT_API_KEY, Beginning, Project
from local.simulator.serving import listen, server, url_of
from local.simulator.subscriptions import deliverable, loopback


def main(arguments: list[str] | None = None) -> None:
    """Run the command; its first line of output is `{"url": "http://127.0.0.1:PORT"}`.

    Exits with status 2 when an argument is wrong, such as a host that is not loopback.
    """
    options = _options(arguments)
    try:
        listening = listen(options.host, options.port)
    except OSError as error:
        sys.exit(f"cannot listen on {options.host}:{options.port}: {error.strerror}")
    url = url_of(listening)
    project = Project(
        Beginning(
            base_url=url,
            api_keys=frozenset(options.api_key or [DEFAULT_API_KEY]),
            webhook_target=options.webhook_target,
            webhook_secrets=tuple(options.webhook_secret),
            demo=options.seed == "demo",
        )
    )
    # Uvicorn raises a signal anew once it has shut down; by then it has been obeyed.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: None)
    print(json.dumps({"url": url}), flush=True)
    server(project).run([listening])
    # All of it was memory; to tidy that up takes the interpreter longer than to stop serving.
    os._exit(0)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=9900, help="0 picks a free one")
    parser.add_argument(
        "--api-key", action="append", help=f"may be repeated; {DEFAULT_API_KEY} without"
    )
    parser.add_argument("--webhook-target", help="URL that gets all events")
    parser.add_argument(
        "--webhook-secret", action="append", default=[], help="signs; may be repeated"
    )
    parser.add_argument("--seed", choices=["demo"], help="what exists at the beginning")
    options = parser.parse_args(arguments)
    if not loopback(options.host):
        parser.error(f"--host {options.host}: the simulator serves on loopback only")
    if options.webhook_target is not None and not deliverable(options.webhook_target):
        parser.error("--webhook-target must be https, or http on loopback")
    return options


if __name__ == "__main__":
    main()
