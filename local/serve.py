"""Keeps the whole stack running on this machine until it is stopped: `make serve`.

`COMPOSIO_BASE_URL`, `COMPOSIO_API_KEY` and `MCP_SERVER_IDS` select another server, for example
the real Composio, instead of the simulator. `PORT` keeps the URLs the same from run to run, and
`RETURN_URL` is the page of the application to which browsers return.
"""

import contextlib
import json
import os
import shlex
import socket
import threading
from collections.abc import Iterator

from local import emulated_stack
from local.emulated_stack import Stack
from local.environment import CommandError, OtherComposio, environment, run
from local.simulator.client import Simulator
from local.simulator.project import DEFAULT_API_KEY, DEMO_AUTH_CONFIGS
from local.simulator.subscriptions import deliverable
from local.timeline import Timeline

READY = "ready: Ctrl-C ends it"

_PYTHON = ".tools/local/bin/python"
_PROVISIONER = ".tools/provisioner/bin/provisioner"
# The answers do not end with a line feed.
_CURL = ["curl", "-sS", "-w", "\\n"]
# The user of the samples in `events/`.
_USER = "user_1"

type Commands = list[tuple[str, list[str]]]


def serve(timeline: Timeline) -> None:
    """Start everything, print what can be done with it, and wait."""
    with (
        environment(
            timeline,
            composio=other_composio(),
            mcp_server_ids=os.environ.get("MCP_SERVER_IDS") or "*",
            return_url=return_url(),
            port=port(),
        ) as running,
        _written(running.stack),
    ):
        for title, commands in _commands(running.stack, running.simulator):
            timeline.plain(f"\n# {title}", "dim")
            for each in commands:
                timeline.plain(each)
        timeline.plain(f"\n{READY}", "bold")
        # A signal is the normal end.
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            threading.Event().wait()
    timeline.line("", "ended, and nothing is left running")


def other_composio() -> OtherComposio | None:
    """Read from the environment which server to use instead of the simulator, if any."""
    # Removed from the environment, because the processes started here need not know it.
    api_key = os.environ.pop("COMPOSIO_API_KEY", "")
    base_url = os.environ.get("COMPOSIO_BASE_URL", "").rstrip("/")
    if not base_url:
        return None
    if not deliverable(base_url):
        raise CommandError("COMPOSIO_BASE_URL must be https, unless it is loopback")
    if not api_key:
        raise CommandError("COMPOSIO_BASE_URL needs COMPOSIO_API_KEY")
    return OtherComposio(base_url=base_url, api_key=api_key)


def return_url() -> str:
    """Read from the environment where browsers return to."""
    url = os.environ.get("RETURN_URL", "")
    if url and not deliverable(url):
        raise CommandError("RETURN_URL must be https, unless it is loopback")
    return url


def port() -> int | None:
    """Read the port from the environment, if any."""
    text = os.environ.get("PORT", "")
    if not text:
        return None
    if text not in map(str, range(1, 65536)):
        raise CommandError("PORT must be a number from 1 to 65535")
    try:
        with socket.create_server(("127.0.0.1", int(text))):
            return int(text)
    except OSError as error:
        raise CommandError(f"PORT={text} cannot be used: {error}") from None


@contextlib.contextmanager
def _written(stack: Stack) -> Iterator[None]:
    """Describe the stack in a file for as long as it runs."""
    stack.write()
    try:
        yield
    finally:
        # Another stack may have been written there in the meantime.
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            if emulated_stack.read() == stack:
                emulated_stack.STACK_FILE.unlink()


def _commands(stack: Stack, simulator: Simulator | None) -> Commands:
    """List what can be done, with the commands for it."""
    sign = [_PYTHON, "-m", "local.sign", "events/connected.json"]
    sign += ["--secret", stack.webhook_secret, "--curl", stack.webhook_url]
    url_of_user = f"{stack.api_url}/users/{_USER}"
    tunnel = f"the webhook, which Composio reaches only through a tunnel: {stack.webhook_url}"
    first = _simulator_commands(stack, simulator) if simulator else [(tunnel, [])]
    session = _signed(f"{url_of_user}/connect-sessions", "POST", {"label": "Ada"})
    return [
        ("connect as your users do: open the connect_url that this prints (IAM)", [session]),
        *first,
        (f"the callback_url of links of your own: {stack.callback_url}", []),
        ("ask for the status of the user, as your backend does (IAM)", [_signed(url_of_user)]),
        ("read the user's accounts at Composio now", [_signed(f"{url_of_user}/refresh", "POST")]),
        ("send a signed event of your own", [f"{shlex.join(sign)} | sh"]),
        (
            "operate the stack: docs/provisioner.md has the other commands",
            [
                "make provisioner",
                f"{_PROVISIONER} user {_USER}",
                f"{_PROVISIONER} watch --times 1",
            ],
        ),
    ]


def _simulator_commands(stack: Stack, simulator: Simulator) -> Commands:
    accounts = [{"user_id": _USER, "auth_config_id": each} for each in DEMO_AUTH_CONFIGS]
    links = [
        _curl(
            f"{simulator.url}/api/v3/connected_accounts/link",
            account | {"callback_url": stack.callback_url},
            f"x-api-key: {DEFAULT_API_KEY}",
        )
        for account in accounts
    ]
    at_once = _curl(f"{simulator.url}/_control/accounts", {"webhook": True, "accounts": accounts})
    ledger = shlex.join([*_CURL, f"{simulator.url}/_control/ledger?path=*/instances"])
    return [
        ("connect by links of your own: open the redirect_url that each prints", links),
        ("connect both at once, without a browser", [at_once]),
        ("list the create-instance calls that the simulator received", [ledger]),
    ]


def _curl(url: str, body: object, *headers: str) -> str:
    lines = [part for line in headers for part in ("-H", line)]
    return shlex.join([*_CURL, url, *lines, *_json(body)])


def _signed(url: str, method: str = "GET", body: object = None) -> str:
    # The emulator's own keys. curl can sign since 7.75.
    sign = ["--aws-sigv4", "aws:amz:us-east-1:execute-api", "--user", "test:test"]
    return shlex.join([*_CURL, "-X", method, *sign, url, *(_json(body) if body else [])])


def _json(body: object) -> list[str]:
    return ["-H", "content-type: application/json", "-d", json.dumps(body)]


if __name__ == "__main__":
    run(serve)
