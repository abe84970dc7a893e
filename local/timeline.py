"""Shows progress on the terminal: a line for each event, and below them what is still running."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

_SOURCE_WIDTH = 8


class Timeline:
    """Lines on the terminal: elapsed time, source, what happened. A context manager.

    Where the output is not a terminal there are the lines only, without colour or movement.
    """

    def __init__(
        self, console: Console | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or Console(highlight=False)
        self._clock = clock
        self._began = clock()
        self._steps = _steps(self._console)

    def __enter__(self) -> Self:
        """Begin to show the running steps."""
        self._steps.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the terminal back."""
        self._steps.stop()

    def line(self, source: str, text: str, style: str = "") -> None:
        """Print one line; `style` is one of rich's."""
        elapsed = self._clock() - self._began
        self._print(
            Text.assemble(
                (f"{elapsed:7.2f} s  ", "dim"),
                (f"{source:<{_SOURCE_WIDTH}}  ", "cyan"),
                (text, style),
            )
        )

    def title(self, text: str) -> None:
        """Begin a new part."""
        self._print(Text())
        self.line("", text, "bold")

    def plain(self, text: str, style: str = "") -> None:
        """Print text as it is, to be copied."""
        self._print(Text(text, style))

    @contextlib.contextmanager
    def step(self, source: str, doing: str) -> Iterator[Callable[[str], None]]:
        """Show that something slow is running, until the end of the context.

        Yields:
            What to call with each line of its output.
        """
        if not self._console.is_terminal:
            self.line(source, f"{doing} ...")
        task = self._steps.add_task(f"{source}: {doing}", total=None, output="")
        try:
            yield lambda line: self._steps.update(task, output=" ".join(line.split()))
        finally:
            self._steps.remove_task(task)

    def _print(self, text: Text) -> None:
        # Soft wrap: a line that was cut in two can be neither searched nor pasted.
        self._console.print(text, soft_wrap=True)


def _steps(console: Console) -> Progress:
    return Progress(
        SpinnerColumn("dots", style="cyan"),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
        TextColumn(
            "{task.fields[output]}",
            style="dim",
            markup=False,
            # On a narrow terminal the output is cut, not the source.
            table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
        ),
        expand=True,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
