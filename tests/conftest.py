"""Fixtures for all tests: the handler, a clock, its log and its metrics."""

import gc
import logging
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from handler.telemetry import logger, metrics
from local.simulator.client import Simulator
from local.simulator.process import running
from tests.doubles import ANSWERS, Clock, Counted, Figured, Log
from tests.exploration import report
from tests.world import API_KEY, World

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def simulated() -> Iterator[Simulator]:
    """Return one simulator for all tests, as starting a process takes as long as fifty of them."""
    with running("--seed", "demo", "--api-key", API_KEY) as simulator:
        yield simulator


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world() -> World:
    """Return a handler that has read the catalog; the requests for that are not counted."""
    world = World()
    world.catalog.sync(deadline=world.now + 20)
    world.trips()
    return world


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    handler = logging.StreamHandler(log.stream)
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    yield log
    logger.handlers.remove(handler)


@pytest.fixture(autouse=True)
def counted() -> Iterator[Counted]:
    """Return how often this test counted each metric, without Composio's answers (`figured`)."""
    metrics.clear_metrics()
    yield lambda: {
        name: len(metric["Value"])
        for name, metric in metrics.provider.metric_set.items()
        if name not in ANSWERS
    }
    metrics.clear_metrics()


@pytest.fixture
def figured() -> Figured:
    """Return the values that this test counted for a metric."""
    return lambda name: metrics.provider.metric_set.get(name, {}).get("Value", [])


_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figures(pytestconfig: pytest.Config) -> list[str]:
    """Return the list of measurements that the summary shows."""
    return pytestconfig.stash.setdefault(_FIGURES, [])


def pytest_sessionstart() -> None:
    """Let Ctrl-C reach the processes of the tests, even when a shell ignores it (`make test &`)."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Exclude imported modules from garbage collection: they stay until the end anyway."""
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Pass on what this process explored and measured, if it is one of several."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["explored"] = report.taken()
        output["figures"] = session.config.stash.get(_FIGURES, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what another process has explored and measured."""
    if output := getattr(node, "workeroutput", None):  # none where it crashed
        report.add(output["explored"])
        node.config.stash.setdefault(_FIGURES, []).extend(output["figures"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show how much was explored, and what was measured."""
    if said := [*report.lines(), *terminalreporter.config.stash.get(_FIGURES, [])]:
        terminalreporter.section("explored and measured")
    for line in said:
        terminalreporter.write_line(line)
