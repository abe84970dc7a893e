"""Keeps the whole stack running on this machine until it is told to end: `make serve`.

`COMPOSIO_BASE_URL`, `COMPOSIO_API_KEY` and `MCP_SERVER_IDS` put another server, the real
Composio, say, in the simulator's place.
"""

import contextlib
import json
import os
import shlex
import threading
from collections.abc import Iterable, Iterator

from local import stack
from local.simulator.client import Simulator
from local.simulator.project import DEFAULT_API_KEY, DEMO_AUTH_CONFIGS
from local.simulator.subscriptions import deliverable
from local.stack import Stack
from local.standin import Elsewhere, Wrong, command, stand_in
from local.timeline import Timeline

READY = "ready: Ctrl-C ends it"

_PYTHON = ".tools/local/bin/python"
# The answers do not end with a line feed.
_CURL = ["curl", "-sS", "-w", "\\n"]
# The user of the samples in `events/`.
_USER = "user_1"


def play(timeline: Timeline) -> None:
    """Start everything, say what can be done with it, and wait.

    Raises:
        Wrong: A variable of the environment is missing or malformed.
    """
    server_ids = os.environ.get("MCP_SERVER_IDS") or "*"
    with (
        stand_in(timeline, elsewhere=elsewhere(), mcp_server_ids=server_ids) as found,
        _written(found.stack),
    ):
        for title, commands in _possible(found.stack, found.simulator):
            timeline.plain(f"\n# {title}", "dim")
            for each in commands:
                timeline.plain(each)
        timeline.plain(f"\n{READY}", "bold")
        # To be ended is how it ends well.
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            threading.Event().wait()
    timeline.say("", "ended, and nothing is left running")


def elsewhere() -> Elsewhere | None:
    """Read from the environment which server takes the simulator's place, if one does.

    Raises:
        Wrong: Its URL or its API key is missing or malformed.
    """
    # Out of the environment: what is started here need not know it.
    api_key = os.environ.pop("COMPOSIO_API_KEY", "")
    base_url = os.environ.get("COMPOSIO_BASE_URL", "").rstrip("/")
    if not base_url:
        return None
    if not deliverable(base_url):
        raise Wrong("COMPOSIO_BASE_URL must be https, unless it is loopback")
    if not api_key:
        raise Wrong("COMPOSIO_BASE_URL needs COMPOSIO_API_KEY")
    return Elsewhere(base_url=base_url, api_key=api_key)


@contextlib.contextmanager
def _written(running: Stack) -> Iterator[None]:
    """Leave a note of what runs for as long as it does."""
    running.write()
    try:
        yield
    finally:
        # Another one may run by now, and have left its own.
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            if stack.read() == running:
                stack.STACK_FILE.unlink()


def _possible(running: Stack, simulator: Simulator | None) -> list[tuple[str, list[str]]]:
    """List what can be done, with the commands for it."""
    sign = [_PYTHON, "-m", "local.sign", "events/connected.json"]
    sign += ["--secret", running.webhook_secret, "--curl", running.webhook_url]
    url_of_user = f"{running.api_url}/users/{_USER}"
    local = [
        (f"for callback_url of links of your own: {running.callback_url}", []),
        ("ask how far the user is, as your backend does (IAM)", [_signed_curl(url_of_user)]),
        (
            "read this user's accounts at Composio now",
            [_signed_curl(f"{url_of_user}/refresh", "POST")],
        ),
        ("send a signed event of your own", [f"{shlex.join(sign)} | sh"]),
        ("read the table", [f"{_PYTHON} -m local.show {_USER}"]),
        ("put an event on the bus", [f"{_PYTHON} -m local.messages put events/bus.json"]),
        ("run a sweep now; it runs each minute", [f"{_PYTHON} -m local.messages sweep"]),
        (
            "look at the queues, and at who is in trouble",
            ["make provisioner", ".tools/provisioner/bin/provisioner watch --times 1"],
        ),
    ]
    if simulator:
        return _with_simulator(running, simulator) + local
    webhook = (
        f"the webhook, which a server elsewhere reaches through a tunnel: {running.webhook_url}"
    )
    return [(webhook, []), *local]


def _with_simulator(running: Stack, simulator: Simulator) -> list[tuple[str, list[str]]]:
    accounts = [{"user_id": _USER, "auth_config_id": each} for each in DEMO_AUTH_CONFIGS]
    links = [
        _curl(
            f"{simulator.url}/api/v3/connected_accounts/link",
            account | {"callback_url": running.callback_url},
            ["-H", f"x-api-key: {DEFAULT_API_KEY}"],
        )
        for account in accounts
    ]
    at_once = _curl(f"{simulator.url}/_control/accounts", {"webhook": True, "accounts": accounts})
    ledger = shlex.join([*_CURL, f"{simulator.url}/_control/ledger?path=*/instances"])
    return [
        ("connect an account: open the redirect_url that this prints", links),
        ("connect both at once, without a browser", [at_once]),
        ("see what Composio was asked for", [ledger]),
    ]


def _curl(url: str, body: object, more: Iterable[str] = ()) -> str:
    headers = ["-H", "content-type: application/json", *more]
    return shlex.join([*_CURL, url, *headers, "-d", json.dumps(body)])


def _signed_curl(url: str, method: str = "GET") -> str:
    # These are the emulator's own keys; curl has known how to sign since 7.75.
    sign = ["--aws-sigv4", "aws:amz:us-east-1:execute-api", "--user", "test:test"]
    return shlex.join([*_CURL, "-X", method, *sign, url])


if __name__ == "__main__":
    command(play)
