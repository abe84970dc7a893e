"""What the tests of the exploration have in common."""

import logging
from collections.abc import Iterator

import pytest

from handler.telemetry import metrics


@pytest.fixture(scope="module")
def hushed() -> Iterator[None]:
    """Spare the cost of telling: nobody reads what thousands of histories log."""
    logging.disable(logging.CRITICAL)
    metrics.add_metric = lambda **_: None  # type: ignore[method-assign]
    yield
    logging.disable(logging.NOTSET)
    del metrics.add_metric
