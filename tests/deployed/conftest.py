"""The fixtures of the tests of the deployed application."""

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
from tests.deployed.finishing import Finishing
from tests.deployed.operator_commands import Operator

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests of this folder as slow, and give them time to build and deploy."""
    item.add_marker(pytest.mark.slow)
    if item.get_closest_marker("timeout") is None:
        item.add_marker(pytest.mark.timeout(300))


@dataclass(frozen=True)
class Infrastructure:
    """What all stacks of the tests share."""

    endpoint_url: str
    build_dir: Path
    composio: Simulator


@contextlib.contextmanager
def deployed_to(
    infrastructure: Infrastructure, name: str, mcp_server_ids: str = "*", **more: str
) -> Iterator[Finishing]:
    """Create a stack for as long as the context lasts.

    Its schedule is stopped: each minute, a sweep would find the accounts that a test has just
    added at Composio.
    """
    parameters = Parameters(
        composio_url=infrastructure.composio.url,
        composio_api_key=DEFAULT_API_KEY,
        stack_name=name,
        mcp_server_ids=mcp_server_ids,
        more=more,
    )
    stack = create(infrastructure.endpoint_url, infrastructure.build_dir, parameters)
    with contextlib.closing(Finishing(stack, infrastructure.composio)) as application:
        application.stop_the_clock()
        application.connect(someone("first"), GMAIL)  # from here on the catalog is known
        yield application


@contextlib.contextmanager
def deployed_alone(
    infrastructure: Infrastructure, name: str, mcp_server_ids: str = "*"
) -> Iterator[Finishing]:
    """Create a stack with a Composio of its own: a sweep reads all accounts that are there."""
    with (
        running("--seed", "demo") as composio,
        deployed_to(replace(infrastructure, composio=composio), name, mcp_server_ids) as alone,
    ):
        yield alone


@pytest.fixture(scope="session")
def infrastructure() -> Iterator[Infrastructure]:
    """Start one simulator and one emulator, and build the package once."""
    with (
        run_folder("tests") as folder,
        running("--seed", "demo") as composio,
        emulator() as endpoint_url,
    ):
        yield Infrastructure(endpoint_url, build(folder), composio)
        # Composio's DELETE of an instance also deletes the user's connected accounts.
        assert composio.ledger(method="DELETE") == []


@pytest.fixture(scope="session")
def main_stack(infrastructure: Infrastructure) -> Iterator[Deployed]:
    with deployed_to(infrastructure, "main") as stack:
        yield stack


@pytest.fixture
def deployed(main_stack: Deployed) -> Iterator[Deployed]:
    """Return a stack that many tests share; each of them has its own users."""
    yield main_stack
    main_stack.composio.clear_faults()
    main_stack.composio.set_api_keys(DEFAULT_API_KEY)
    main_stack.composio.set_webhook(None)
    main_stack.composio.set_options(**Options().model_dump())
    main_stack.put_back()


@pytest.fixture(scope="session")
def queue_stack(infrastructure: Infrastructure) -> Iterator[Finishing]:
    with deployed_alone(infrastructure, "queue") as stack:
        yield stack


@pytest.fixture
def finishing(queue_stack: Finishing) -> Iterator[Finishing]:
    """Return a stack whose queue is empty, and whose Composio knows no user."""
    yield queue_stack
    queue_stack.settle()
    queue_stack.composio.reset()


@pytest.fixture(scope="session")
def operated_stack(infrastructure: Infrastructure) -> Iterator[Finishing]:
    with deployed_alone(infrastructure, "mcp-instance-provisioner", SERVER) as stack:
        yield stack


@pytest.fixture
def operator(operated_stack: Finishing) -> Operator:
    """Return the operator of a stack in which all is well, and which knows no user."""
    operator = Operator(operated_stack)
    operator.put_right()
    return operator


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Start a browser without a screen; it is gone when the module is done."""
    # Only two modules need them.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    from tests.deployed.browser import ARGUMENTS, program  # noqa: PLC0415

    with sync_playwright() as playwright:
        found = program(Path(playwright.chromium.executable_path))
        with playwright.chromium.launch(executable_path=found, args=ARGUMENTS) as browser:
            yield browser
