"""Starts the whole local environment: emulator, simulator, real `sam build`, real `sam deploy`."""

import contextlib
import dataclasses
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

from local.deployment import build, deploy
from local.emulated_stack import Parameters, Stack
from local.emulator import EmulatorError, emulator, run_folder
from local.sam import SamError
from local.simulator.client import Simulator
from local.simulator.process import running
from local.simulator.project import DEFAULT_API_KEY
from local.timeline import Timeline

_INTERRUPTED = 130
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class CommandError(Exception):
    """The command cannot go on; the message explains why to whoever ran it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OtherComposio:
    """A server to use instead of the simulator."""

    base_url: str
    api_key: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Environment:
    """What runs; there is no simulator when another Composio is used."""

    stack: Stack
    simulator: Simulator | None


def run(command: Callable[[Timeline], None], timeline: Timeline | None = None) -> None:
    """Run a command with a timeline on the terminal.

    An expected error is printed as one message, and exits with 1. The first SIGTERM, SIGHUP or
    SIGINT unwinds the command through every `finally`, so that nothing is left behind; SIGINT also
    where a shell had it ignored (`make serve &`).
    """
    for each in _SIGNALS:
        signal.signal(each, _unwind)
    try:
        with timeline or Timeline() as shown:
            command(shown)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except (CommandError, SamError, EmulatorError) as problem:
        sys.exit(str(problem))


def _unwind(number: int, _frame: FrameType | None) -> None:
    # Only once: a signal to a whole process group reaches make too, which passes it on, and the
    # second signal would cut the unwinding short.
    for each in _SIGNALS:
        signal.signal(each, lambda *_: None)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    # As a shell would report it.
    raise SystemExit(128 + number)


@contextlib.contextmanager
def environment(
    timeline: Timeline,
    *,
    composio: OtherComposio | None = None,
    mcp_server_ids: str = "*",
    return_url: str = "",
    port: int | None = None,
) -> Iterator[Environment]:
    """Run everything for as long as the context lasts.

    Args:
        timeline: Where progress is shown.
        composio: The server to use instead of the simulator.
        mcp_server_ids: The enrolled MCP servers, separated by commas, or `*`.
        return_url: Where browsers return to; none means a page of the stack.
        port: The port of the emulator; none means any that is free.

    Raises:
        local.sam.SamError: `sam` failed.
        local.emulator.EmulatorError: The emulator did not start.
    """
    with run_folder("environment") as folder, contextlib.ExitStack() as running_servers:
        # The build stays in this thread: it takes longest, and signals arrive here.
        with ThreadPoolExecutor() as pool:
            starting = pool.submit(_start_emulator, timeline, running_servers, port)
            simulating = None if composio else pool.submit(_simulate, timeline, running_servers)
            with _timed(timeline, "build", "built") as progress:
                build_dir = build(folder, progress)
        endpoint_url = starting.result()
        simulator = simulating.result() if simulating else None
        url = composio.base_url if composio else simulator.url if simulator else ""
        parameters = Parameters(
            composio_url=url,
            composio_api_key=composio.api_key if composio else DEFAULT_API_KEY,
            mcp_server_ids=mcp_server_ids,
            more={"ReturnUrl": return_url} if return_url else {},
        )
        with _timed(timeline, "deploy", "deployed") as progress:
            stack = deploy(endpoint_url, build_dir, parameters, progress)
        if simulator:
            send_events(simulator, stack)
        yield Environment(stack=stack, simulator=simulator)


def send_events(simulator: Simulator, stack: Stack) -> None:
    """Have the simulator send its events to the stack, as for a project offered `activated`."""
    simulator.set_webhook(stack.webhook_url, stack.webhook_secret)
    simulator.set_options(activated_event="account")


@contextlib.contextmanager
def _timed(timeline: Timeline, doing: str, done: str) -> Iterator[Callable[[str], None]]:
    began = time.monotonic()
    with timeline.step("sam", doing) as progress:
        yield progress
    timeline.line("sam", f"{done} in {time.monotonic() - began:.1f} s")


def _start_emulator(
    timeline: Timeline, running_servers: contextlib.ExitStack, port: int | None
) -> str:
    with timeline.step("AWS", "the emulator starts"):
        url = running_servers.enter_context(emulator(port=port))
    timeline.line("AWS", f"the emulator is at {url}")
    return url


def _simulate(timeline: Timeline, running_servers: contextlib.ExitStack) -> Simulator:
    with timeline.step("Composio", "the simulator starts"):
        simulator = running_servers.enter_context(running("--seed", "demo"))
    for server in simulator.state()["servers"]:
        required = " and ".join(server["auth_config_ids"])
        timeline.line(
            "Composio", f"the simulator is at {simulator.url}; {server['id']} requires {required}"
        )
    timeline.line(
        "Composio", "it sends an event when an account becomes active; not all projects get it"
    )
    return simulator
