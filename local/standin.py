"""Starts the whole stand-in: emulator, simulator, real `sam build`, real `sam deploy`."""

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local.deployment import build, deploy
from local.emulator import EmulatorError, emulator, run_folder
from local.ending import end_in_order_on_signals
from local.sam import SamError
from local.simulator.client import Simulator
from local.simulator.process import running
from local.simulator.project import DEFAULT_API_KEY
from local.stack import Parameters, Stack
from local.timeline import Timeline

_INTERRUPTED = 130


class Wrong(Exception):
    """It cannot go on; the message says why, for whoever gave the command."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """A server that takes the simulator's place."""

    base_url: str
    api_key: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StandIn:
    """What runs; without a simulator when Composio is elsewhere."""

    stack: Stack
    simulator: Simulator | None


def command(play: Callable[[Timeline], None], on: Timeline | None = None) -> None:
    """Play something on a timeline as a command.

    What goes wrong is said in one message, and exits with 1; signals end it in order.
    """
    end_in_order_on_signals()
    try:
        with on or Timeline() as timeline:
            play(timeline)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except (Wrong, SamError, EmulatorError) as problem:
        sys.exit(str(problem))


@contextlib.contextmanager
def stand_in(
    timeline: Timeline, *, elsewhere: Elsewhere | None = None, mcp_server_ids: str = "*"
) -> Iterator[StandIn]:
    """Run everything for as long as the context lasts.

    Args:
        timeline: Where it is told.
        elsewhere: What to use instead of the simulator.
        mcp_server_ids: The enrolled MCP servers, separated by commas, or `*`.

    Raises:
        local.sam.SamError: `sam` failed.
        local.emulator.EmulatorError: The emulator did not start.
    """
    with run_folder("standin") as folder, contextlib.ExitStack() as ending:
        # The build in this thread: it is what takes long, and a signal comes here.
        with ThreadPoolExecutor() as pool:
            starting = pool.submit(_start_emulator, timeline, ending)
            simulating = None if elsewhere else pool.submit(_start_simulator, timeline, ending)
            build_dir = _build(timeline, folder)
        endpoint_url = starting.result()
        simulator = simulating.result() if simulating else None
        parameters = _parameters(elsewhere, simulator, mcp_server_ids)
        stack = _deploy(timeline, endpoint_url, build_dir, parameters)
        if simulator:
            listen(simulator, stack)
        yield StandIn(stack=stack, simulator=simulator)


def listen(simulator: Simulator, stack: Stack) -> None:
    """Have the simulator send its events to the stack, also those that it invents."""
    simulator.set_webhook(stack.webhook_url, stack.webhook_secret)
    simulator.switch(synthetic_events=True)


def _parameters(
    elsewhere: Elsewhere | None, simulator: Simulator | None, mcp_server_ids: str
) -> Parameters:
    if elsewhere:
        url, api_key = elsewhere.base_url, elsewhere.api_key
    else:
        url, api_key = simulator.url if simulator else "", DEFAULT_API_KEY
    return Parameters(composio_url=url, composio_api_key=api_key, mcp_server_ids=mcp_server_ids)


def _start_emulator(timeline: Timeline, ending: contextlib.ExitStack) -> str:
    with timeline.step("AWS", "the emulator starts"):
        url = ending.enter_context(emulator())
    timeline.say("AWS", f"the emulator is at {url}")
    return url


def _start_simulator(timeline: Timeline, ending: contextlib.ExitStack) -> Simulator:
    with timeline.step("Composio", "the simulator starts"):
        simulator = ending.enter_context(running("--seed", "demo"))
    for server in simulator.state()["servers"]:
        required = " and ".join(server["auth_config_ids"])
        timeline.say(
            "Composio", f"the simulator is at {simulator.url}; {server['id']} requires {required}"
        )
    timeline.say("Composio", "it announces each change of an account; the real one, only expiries")
    return simulator


def _build(timeline: Timeline, folder: Path) -> Path:
    began = time.monotonic()
    with timeline.step("sam", "build") as progress:
        build_dir = build(folder, progress)
    timeline.say("sam", f"built in {time.monotonic() - began:.1f} s")
    return build_dir


def _deploy(
    timeline: Timeline, endpoint_url: str, build_dir: Path, parameters: Parameters
) -> Stack:
    began = time.monotonic()
    with timeline.step("sam", "deploy") as progress:
        stack = deploy(endpoint_url, build_dir, parameters, progress)
    timeline.say("sam", f"deployed in {time.monotonic() - began:.1f} s, and the secret is filled")
    return stack
