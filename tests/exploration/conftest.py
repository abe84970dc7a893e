"""What the tests of the exploration have in common."""

import logging
from collections.abc import Iterator

import pytest

from handler.telemetry import Metric, metrics
from tests.exploration.system import System


@pytest.fixture(scope="module")
def hushed() -> Iterator[None]:
    """Spare the cost of telling: nobody reads what thousands of histories log."""
    logging.disable(logging.CRITICAL)
    metrics.add_metric = _count  # type: ignore[method-assign,assignment]
    yield
    logging.disable(logging.NOTSET)
    del metrics.add_metric


def _count(*, name: str, **_: object) -> None:
    if name == Metric.SESSIONS_LEFT_OVER:
        System.running.state.left_over += 1
