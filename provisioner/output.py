"""What a command prints: tables for people, JSON for scripts, progress beside both.

Whatever comes from elsewhere is escaped: an id or a message can hold control characters, and
characters that change the direction of the text.
"""

import codecs
import getpass
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TextIO, cast

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from provisioner.errors import Trouble

STYLES: dict[str, str] = {
    "ready": "green",
    "creating": "cyan",
    "waiting": "yellow",
    "retrying": "yellow",
    "failed": "red",
}
_NARROWEST, _UNLIMITED = 20, 100_000
"""Widths; a row of a table is one line in what is not a terminal, unless COLUMNS is set."""
_PLAIN = str.maketrans({"✓": "+", "✗": "x", "→": "->", "…": "...", "─": "-"})


class Screen:
    """Results go to standard output; everything else goes to standard error.

    With `as_json` both are JSON, one value on each line.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.closed = sys.stdout is None
        """A shell closes a stream with `>&-`."""
        sys.stdout, sys.stderr = _opened(sys.stdout), _opened(sys.stderr)
        self.out = _console(stderr=False)
        self.err = _console(stderr=True)

    @property
    def redraws(self) -> bool:
        """Whether results are shown on a terminal, which can show the next one in their place."""
        return _moving(self.out) and not self.as_json

    def show(self, value: object, *shown: RenderableType) -> None:
        """Print a result: as one line of JSON, or as these."""
        if self.as_json:
            _write_json(self.out, value)
            return
        for each in shown:
            # A line that is broken cannot be searched, nor a command in it be pasted.
            line = isinstance(each, str)
            self.out.print(text(each) if isinstance(each, str) else each, soft_wrap=line)

    def say(self, message: str, style: str = "") -> None:
        """Print something that is not the result."""
        if self.as_json:
            _write_json(self.err, {"message": message})
        else:
            self.err.print(text(message, style), soft_wrap=True)

    def fail(self, trouble: Trouble) -> None:
        """Print why the command cannot go on, and what to do about it."""
        if self.as_json:
            _write_json(self.err, {"error": str(trouble), "remedy": trouble.remedy})
            return
        self.say(f"provisioner: {trouble}", "red")
        if trouble.remedy:
            self.say(f"→ {trouble.remedy}")

    @property
    def answers(self) -> bool:
        """Whether somebody sits at a terminal, and can be asked once more."""
        return sys.stdin is not None and sys.stdin.isatty()

    def asked(self, question: str, option: str, *, hidden: bool = False) -> str:
        """Ask for a line, which a terminal does not show as it is typed where it is `hidden`.

        Raises:
            Trouble: Nobody answers; `option` would have answered beforehand.
        """
        try:
            if hidden and self.answers:
                return getpass.getpass(f"{question}: ").strip()
            self.err.print(text(f"{question}: "), end="", soft_wrap=True)
            answer = sys.stdin.readline() if sys.stdin else ""
        except (EOFError, OSError, ValueError):
            answer = ""
        if not answer:
            raise Trouble("nobody answers the question", f"{option} answers it beforehand")
        return answer.strip()

    def confirmed(self, question: str) -> bool:
        """Ask, and return whether the answer is yes; raises Trouble if nobody answers."""
        while True:
            answer = self.asked(f"{question} [y/N]", "--yes").lower()
            if answer in {"y", "yes"}:
                return True
            if answer in {"n", "no", ""}:
                return False

    def close(self) -> None:
        """Write out what is left; Python would try again at its end, and complain."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                with suppress(OSError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

    @contextmanager
    def progress(self, doing: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show the progress as a bar, or as lines if there is no terminal.

        Yields:
            A function to call with the number of pieces that have just been done.
        """
        done, told = 0, 0
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.err,
            disable=self.as_json or not _moving(self.err),
        )

        def advance(pieces: int) -> None:
            nonlocal done, told
            done += pieces
            bar.advance(task, pieces)
            if bar.disable and ((done - told) * 10 >= total or told < done == total):
                told = done
                if self.as_json:
                    _write_json(self.err, {"progress": doing, "done": done, "total": total})
                else:
                    self.say(f"{doing}: {done} of {total}")

        with bar:
            task = bar.add_task(escaped(doing), total=total)
            yield advance


class _Nowhere(io.TextIOBase):
    """Takes the place of a stream that is closed."""

    def write(self, content: str, /) -> int:
        return len(content)


class _EscapedTable(Table):
    def add_row(self, *cells: RenderableType | None, **more: Any) -> None:
        super().add_row(*(text(c) if isinstance(c, str) else c for c in cells), **more)


def escaped(content: str) -> str:
    """Return the text with everything that is not printable written as in a Python string."""
    if content.isprintable():
        return content
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in content)


def text(content: str, style: str = "") -> Text:
    """Return the text, escaped, in a style."""
    return Text(escaped(content), style, overflow="fold")


def table(*columns: str) -> Table:
    """Return an empty table; a cell that is too long for a terminal is folded, never cut."""
    made = _EscapedTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def grid() -> Table:
    """Return an empty table without lines and titles."""
    return _EscapedTable.grid(padding=(0, 1))


def status(name: str) -> Text:
    """Return a status in its colour."""
    return text(name, STYLES.get(name, ""))


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


def _console(*, stderr: bool) -> Console:
    columns = shutil.get_terminal_size((0, 0)).columns
    width = max(columns, _NARROWEST) if columns else _UNLIMITED
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def _moving(console: Console) -> bool:
    # Not `is_terminal`, which FORCE_COLOR makes true of a pipe.
    return console.file.isatty() and not console.is_dumb_terminal


def _opened(stream: TextIO | None) -> TextIO:
    if stream is None:
        return cast("TextIO", _Nowhere())
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="provisioner")
    return stream


def _write_json(console: Console, value: object) -> None:
    # Not through rich, which would fold it.
    console.file.write(json.dumps(value, default=plain) + "\n")
    console.file.flush()


def _substitute(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that the encoding of a stream does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(_PLAIN)
    return lacking.encode("ascii", "backslashreplace").decode(), error.end


codecs.register_error("provisioner", _substitute)
