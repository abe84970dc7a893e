"""What a command shows: tables for people, JSON for scripts, progress beside both."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from handler.values import Status

STYLES: dict[str, str] = {
    "ready": "green",
    "creating": "cyan",
    "waiting": "yellow",
    "retrying": "yellow",
    Status.FAILED: "red",
}


class Screen:
    """Results go to standard output; whatever else is said, to standard error."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.out = Console(highlight=False, markup=False, emoji=False)
        self.err = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def show(self, value: object, *shown: RenderableType) -> None:
        """Show a result: as one line of JSON, or as these."""
        if self.as_json:
            # Not through rich, which would fold it.
            self.out.file.write(json.dumps(value, default=plain) + "\n")
            return
        for each in shown:
            # A line that is cut into two cannot be searched, nor a command pasted.
            self.out.print(each, soft_wrap=isinstance(each, str))

    def say(self, text: str, style: str = "") -> None:
        """Say something beside the result."""
        self.err.print(Text(text, style), soft_wrap=True)

    @contextmanager
    def progress(self, doing: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show how far it is, as a bar, or as lines where there is no terminal.

        Yields:
            What to call with the number of pieces that have just been done.
        """
        done, told = 0, 0
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.err,
            disable=not self.err.is_terminal,
        )

        def advance(pieces: int) -> None:
            nonlocal done, told
            done += pieces
            bar.advance(task, pieces)
            if not self.err.is_terminal and (done - told) * 10 >= total:
                told = done
                self.say(f"{doing}: {done} of {total}")

        with bar:
            task = bar.add_task(doing, total=total)
            yield advance


def table(*columns: str) -> Table:
    """Return an empty table that fits 80 columns: what is too long is folded, never cut."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def status(text: str) -> Text:
    """Return a status in its colour."""
    return Text(text, STYLES.get(text, ""))


def when(seconds: int | None) -> str:
    """Return Unix seconds for people, in UTC."""
    if not seconds:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def plain(value: object) -> list[Any]:
    """Return what JSON has no word for: a set."""
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not shown")
