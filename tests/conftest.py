"""What the tests share: a clock that stands still, a Secrets Manager, and what was told."""

import gc
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import settings

from handler.telemetry import Metric, logger, metrics
from local.simulator.client import Simulator
from local.simulator.process import running
from tests.deployed_fixtures import (
    aside,
    crowd,
    deployed,
    finishing,
    house,
    operator,
    standing,
    standing_aside,
    standing_finishing,
    standing_operated,
    tidy,
)
from tests.exploration import report
from tests.world import API_KEY, World

__all__ = [
    "aside",
    "crowd",
    "deployed",
    "finishing",
    "house",
    "operator",
    "standing",
    "standing_aside",
    "standing_finishing",
    "standing_operated",
    "tidy",
]

settings.register_profile("house", deadline=None)
settings.load_profile("house")


type Counted = Callable[[], dict[str, int]]
type Figured = Callable[[str], list[float]]

ANSWERS = {name for name in Metric if name.startswith("Composio") and name[8] in "2345N"}


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1767225600.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.now += seconds


@pytest.fixture(scope="session")
def simulated() -> Iterator[Simulator]:
    """Return one simulator for all who try it: to start a process takes as long as fifty tests."""
    with running("--seed", "demo", "--api-key", API_KEY) as simulator:
        yield simulator


class FakeSecretsManager:
    """One secret, as boto3's client hands it out; `failure` is raised instead."""

    def __init__(self) -> None:
        self.text = ""
        self.failure: Exception | None = None
        self.fetches = 0

    def keep(self, api_key: str, *webhook_secrets: str) -> None:
        """Replace the secret."""
        content = {"composio_api_key": api_key, "webhook_secrets": list(webhook_secrets)}
        self.text = json.dumps(content)

    def get_secret_value(self, **request: str) -> dict[str, Any]:
        """GetSecretValue."""
        self.fetches += 1
        if self.failure:
            raise self.failure
        return {"Name": request["SecretId"], "SecretString": self.text}


class Log:
    """The lines that the one logger wrote."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        """All of it, as CloudWatch would show it."""
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Each line, read."""
        return [json.loads(line) for line in self.text.splitlines()]


class Killed(BaseException):
    """The process is gone; a BaseException, so that nothing in the handler catches it."""


def die(_: httpx.Request) -> httpx.Response:
    """Answer no more: the handler is killed during this call."""
    raise Killed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world() -> World:
    """A handler that knows the catalog already; what that took is not counted."""
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
    """Return how often each metric was counted in this test, and in this test only.

    Answers of Composio are left out, as almost every test has some: `figured` has them.
    """
    metrics.clear_metrics()
    yield lambda: {
        name: len(metric["Value"])
        for name, metric in metrics.provider.metric_set.items()
        if name not in ANSWERS
    }
    metrics.clear_metrics()


@pytest.fixture
def figured() -> Figured:
    """Return the figures of a metric in this test."""
    return lambda name: metrics.provider.metric_set.get(name, {}).get("Value", [])


_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figures(pytestconfig: pytest.Config) -> list[str]:
    """Return where to put what was measured; the summary at the end shows it."""
    return pytestconfig.stash.setdefault(_FIGURES, [])


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported: it stays to the end in any case."""
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was explored, and what was measured."""
    said = [*report.lines(), *terminalreporter.config.stash.get(_FIGURES, [])]
    if said:
        terminalreporter.section("explored and measured")
    for line in said:
        terminalreporter.write_line(line)
