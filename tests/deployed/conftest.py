"""The fixtures of the tests of the deployed application, which are all slow."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.deployment import build, create
from local.emulated_stack import Parameters
from local.emulator import emulator, run_folder
from local.simulator.client import Simulator
from local.simulator.options import Options
from local.simulator.process import running
from local.simulator.project import DEFAULT_API_KEY
from tests.deployed.application import GMAIL, SERVER, Deployed, someone
from tests.deployed.browser import HOMEBOUND, program
from tests.deployed.finishing import Finishing
from tests.deployed.operator_commands import Operator

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests of this folder, and give them time to build and deploy."""
    item.add_marker(pytest.mark.slow)
    if item.get_closest_marker("timeout") is None:
        item.add_marker(pytest.mark.timeout(300))


@dataclass(frozen=True)
class Infrastructure:
    """What all tests of the deployed application stand on."""

    endpoint_url: str
    build_dir: Path
    composio: Simulator


@contextlib.contextmanager
def deployed_to(
    infrastructure: Infrastructure,
    name: str,
    mcp_server_ids: str = "*",
    *,
    still: bool = True,
    **more: str,
) -> Iterator[Finishing]:
    """Create a stack, for as long as the context lasts; time stands still there.

    Else its sweep, each minute, would find whoever a test has just let connect at Composio.
    """
    parameters = Parameters(
        composio_url=infrastructure.composio.url,
        composio_api_key=DEFAULT_API_KEY,
        stack_name=name,
        mcp_server_ids=mcp_server_ids,
        more=more,
    )
    stack = create(infrastructure.endpoint_url, infrastructure.build_dir, parameters)
    application = Finishing(stack, infrastructure.composio)
    with contextlib.closing(application):
        if still:
            application.stand_still()
        application.connect(someone("first"), GMAIL)  # from here on the catalog is known
        yield application


@pytest.fixture(scope="session")
def infrastructure() -> Iterator[Infrastructure]:
    """One simulator, one emulator and one build."""
    with (
        run_folder("tests") as folder,
        running("--seed", "demo") as composio,
        emulator() as endpoint_url,
    ):
        yield Infrastructure(endpoint_url, build(folder), composio)
        # Composio's DELETE of an instance deletes the user's connected accounts, too.
        assert composio.ledger(method="DELETE") == []


@pytest.fixture(scope="session")
def main_stack(infrastructure: Infrastructure) -> Iterator[Deployed]:
    """Deploy once for the session."""
    with deployed_to(infrastructure, "one") as one:
        yield one


@pytest.fixture(scope="session")
def second_stack(infrastructure: Infrastructure) -> Iterator[Deployed]:
    """Deploy once more, for the tests that take away what the application needs."""
    with deployed_to(infrastructure, "two") as two:
        yield two


@pytest.fixture
def reset_simulator(infrastructure: Infrastructure) -> Iterator[None]:
    """Leave the simulator as it was; what it knows of users stays, each test has its own."""
    yield
    infrastructure.composio.clear_faults()
    infrastructure.composio.set_api_keys(DEFAULT_API_KEY)
    infrastructure.composio.set_webhook(None)
    infrastructure.composio.set_options(**Options().model_dump())


@pytest.fixture
def deployed(main_stack: Deployed, reset_simulator: None) -> Iterator[Deployed]:  # noqa: ARG001
    """Give the application that runs."""
    yield main_stack
    main_stack.put_back()


@pytest.fixture
def second(second_stack: Deployed, reset_simulator: None) -> Iterator[Deployed]:  # noqa: ARG001
    """Give a second one, which may be broken and mended."""
    yield second_stack
    second_stack.put_back()


@pytest.fixture(scope="session")
def queue_stack(infrastructure: Infrastructure) -> Iterator[Finishing]:
    """Deploy once more, with a Composio of its own: a sweep reads all of its accounts."""
    with (
        running("--seed", "demo") as composio,
        deployed_to(replace(infrastructure, composio=composio), "three") as three,
    ):
        yield three


@pytest.fixture(scope="session")
def busy(infrastructure: Infrastructure) -> Iterator[Finishing]:
    """Deploy once more, with a Composio of its own, where time goes on.

    For whoever wants many execution environments at once: they stay, and nobody else needs them.
    """
    with (
        running("--seed", "demo") as composio,
        deployed_to(replace(infrastructure, composio=composio), "busy", still=False) as busy,
    ):
        yield busy


@pytest.fixture
def finishing(queue_stack: Finishing) -> Iterator[Finishing]:
    """Give the application with its queue, and a Composio in which nobody is."""
    yield queue_stack
    queue_stack.settle()
    queue_stack.composio.reset()


@pytest.fixture(scope="session")
def operated_stack(infrastructure: Infrastructure) -> Iterator[Finishing]:
    """Deploy once more, for the operator: its table is read whole, so nobody else may be in it."""
    with (
        running("--seed", "demo") as composio,
        deployed_to(
            replace(infrastructure, composio=composio), "mcp-instance-provisioner", SERVER
        ) as operated,
    ):
        operated.stand_still()
        yield operated


@pytest.fixture
def operator(operated_stack: Finishing) -> Iterator[Operator]:
    """Give the operator a stack that is as it should be, with nobody in it."""
    operator = Operator(operated_stack)
    operator.put_right()
    yield operator
    operator.put_right()


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Start a browser without a screen; it is gone when the module is done."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only two modules need it

    with sync_playwright() as playwright:
        found = program(Path(playwright.chromium.executable_path))
        with playwright.chromium.launch(executable_path=found, args=HOMEBOUND) as browser:
            yield browser
