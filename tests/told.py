"""Lets a test say a figure that is worth seeing; it stands in the summary of the run."""

from collections.abc import Callable

import pytest

type Told = Callable[[str], None]


class Figures:
    """Collects what tests tell, and shows it in the end."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show it."""
        if self.lines:
            terminalreporter.section("figures")
            for line in self.lines:
                terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def told(request: pytest.FixtureRequest) -> Told:
    """Return what takes a line for the summary."""
    figures = Figures()
    request.config.pluginmanager.register(figures, "figures")
    return figures.lines.append
