"""The timeline on a terminal, and where there is none."""

import io
import itertools
from typing import cast

from rich.console import Console

from local.timeline import Timeline


def console_of(*, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=40, highlight=False)


def printed_on(console: Console) -> str:
    return cast("io.StringIO", console.file).getvalue()


def test_lines_are_plain_and_whole_where_there_is_no_terminal() -> None:
    console = console_of()
    with Timeline(console, clock=itertools.count(100.0, 1.5).__next__) as timeline:
        with timeline.step("sam", "build") as progress:
            progress("[*] Validate SAM template")
        timeline.line("webhook", "200 [ready] " + "x" * 60, "green")
    assert printed_on(console).splitlines() == [
        "   1.50 s  sam       build ...",
        "   3.00 s  webhook   200 [ready] " + "x" * 60,
    ]


def test_a_terminal_shows_what_is_still_running() -> None:
    console = console_of(terminal=True)
    with Timeline(console) as timeline, timeline.step("sam", "build") as progress:
        progress("[*] made 3")
        timeline._steps.refresh()
    assert "sam: build" in printed_on(console)
    assert "[*]" in printed_on(console)
