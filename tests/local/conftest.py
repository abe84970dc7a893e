"""One simulator, empty at the beginning of each test, and clients of it."""

from collections.abc import Iterator

import httpx
import pytest

from local.simulator.client import Simulator
from tests.world import API_KEY


@pytest.fixture
def simulator(simulated: Simulator) -> Simulator:
    simulated.reset()
    return simulated


@pytest.fixture(scope="session")
def api(simulated: Simulator) -> Iterator[httpx.Client]:
    headers = {"x-api-key": API_KEY}
    with httpx.Client(base_url=simulated.url, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def browser(simulated: Simulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=simulated.url, trust_env=False) as client:
        yield client
