"""Takes a file of events, one JSON envelope a line, to the queue, and remembers how far it came.

The place is kept beside the file, in `<file>.place`, after each batch that the queue accepted:
ended at any point it goes on there, and at most one batch is sent twice, which is harmless.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import batched, islice
from pathlib import Path
from typing import Any

from handler.events import Ignored, NotAnEnvelope, read
from handler.queue import BATCH
from provisioner.errors import Trouble
from provisioner.stack import Stack

MOST_SHOWN = 5


def place_of(file: Path) -> Path:
    """Return where the place is kept."""
    return file.with_name(file.name + ".place")


def check(file: Path) -> int:
    """Return the number of lines, all of them sound events about connected accounts.

    Raises:
        Trouble: Some are not; the first of them are named, without what they say.
    """
    wrong, number = list[str](), 0
    for number, line in enumerate(_lines(file), 1):
        try:
            if isinstance(told := read(json.loads(line)), Ignored):
                wrong.append(f"line {number}: {told.reason}")
        except NotAnEnvelope as error:
            wrong.append(f"line {number}: {error}")
        except (ValueError, RecursionError):
            wrong.append(f"line {number}: not JSON")
    if wrong:
        shown = "; ".join(wrong[:MOST_SHOWN])
        raise Trouble(
            f"{len(wrong)} of {number} lines: {shown}", "mend or remove them; nothing was sent"
        )
    return number


def send(stack: Stack, file: Path, start: int, advance: Callable[[int], None]) -> None:
    """Send the events after the first `start` lines.

    Raises:
        ClientError: The queue did not take all of a batch; the place is before it.
    """
    done = start
    for batch in batched(islice(_lines(file), start, None), BATCH, strict=False):
        details: Sequence[dict[str, Any]] = [{"detail": json.loads(line)} for line in batch]
        stack.queue.send(details)
        done += len(batch)
        place_of(file).write_text(f"{done}\n")
        advance(len(batch))


def started(file: Path) -> int:
    """Return how many lines were sent by an earlier run that did not end."""
    try:
        return int(place_of(file).read_text())
    except FileNotFoundError:
        return 0
    except ValueError:
        raise Trouble(f"{place_of(file)} holds no number", "remove it, to begin anew") from None


def _lines(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8") as opened:
            yield from opened
    except (OSError, UnicodeDecodeError) as error:
        raise Trouble(f"{file} cannot be read: {error}", "give a text file of JSON lines") from None
