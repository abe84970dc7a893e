"""Fixtures of the exploration."""

import logging
from collections.abc import Iterator

import pytest

from handler.telemetry import Metric, metrics
from tests.exploration.system import System


@pytest.fixture(scope="module")
def without_logging() -> Iterator[None]:
    """Turn logs and metrics off: thousands of histories would pay for them."""
    logging.disable(logging.CRITICAL)
    metrics.add_metric = _count  # type: ignore[method-assign,assignment]
    yield
    logging.disable(logging.NOTSET)
    del metrics.add_metric


def _count(*, name: str, **_: object) -> None:
    if name == Metric.SESSIONS_LEFT_OVER:
        System.running.state.left_over += 1
