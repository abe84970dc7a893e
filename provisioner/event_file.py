"""A file of events for `import`, one V3 envelope a line, and how much of it has been sent.

The progress is kept beside the file, in `<file>.place`, after each batch that the queue accepted.
It names the queue, and what was sent by its length and SHA-256: for another queue, or another file
that has taken the name, it counts for nothing.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, ValidationError

from handler.events import Ignored, NotAnEnvelope, read
from provisioner.errors import Trouble
from provisioner.messages import MOST_BYTES

STDIN = "-"
MOST_SHOWN = 5
_LONGEST_LINE = 4 * MOST_BYTES
_BOM = b"\xef\xbb\xbf"


class Progress(BaseModel):
    """How much of a file a queue has accepted: so many events, which are so many bytes."""

    queue: str
    events: int
    size: int
    sha256: str


@dataclass(frozen=True)
class EventFile:
    """A file that can be read again; `place` is where its progress is kept, if anywhere."""

    file: BinaryIO
    place: Path | None

    def check(self) -> int:
        """Return the number of events.

        Raises Trouble if some cannot be sent; it names the first lines, but quotes none.
        """
        wrong, events, number = list[str](), 0, 0
        for number, line in enumerate(self._lines(), 1):
            if _content(line):
                events += 1
                if reason := _reason(line):
                    wrong.append(f"line {number}: {reason}")
        if wrong:
            shown = "; ".join(wrong[:MOST_SHOWN])
            message = f"{len(wrong)} of {number} lines cannot be sent: {shown}"
            raise Trouble(message, "correct or remove them; nothing was sent")
        return events

    def events(self, queue: str, skipped: int) -> Iterator[tuple[Progress, str]]:
        """Yield the message for each event but the first ones, and the progress once it is sent."""
        number, size, digest = 0, 0, hashlib.sha256()
        for line in self._lines():
            size += len(line)
            digest.update(line)
            if not _content(line):
                continue
            number += 1
            if number > skipped:
                sha256 = digest.hexdigest()
                yield Progress(queue=queue, events=number, size=size, sha256=sha256), _body(line)

    def accepted(self, queue: str) -> int:
        """Return how many events of this very content the queue has accepted."""
        if self.place is None:
            return 0
        try:
            kept = Progress.model_validate_json(self.place.read_bytes())
        except (OSError, ValidationError):
            return 0
        self.file.seek(0)
        same = hashlib.sha256(self.file.read(kept.size)).hexdigest() == kept.sha256
        return kept.events if same and kept.queue == queue else 0

    def keep(self, progress: Progress) -> bool:
        """Store the progress; False if that is not possible."""
        if self.place is None:
            return True
        written = self.place.with_name(self.place.name + ".new")
        try:
            written.write_text(progress.model_dump_json() + "\n")
            written.replace(self.place)
        except OSError:
            return False
        return True

    def done(self) -> None:
        """Forget the progress."""
        if self.place:
            self.place.unlink(missing_ok=True)

    def _lines(self) -> Iterator[bytes]:
        self.file.seek(0)
        for number, line in enumerate(iter(lambda: self.file.readline(_LONGEST_LINE), b""), 1):
            if len(line) == _LONGEST_LINE:
                message = f"line {number} is longer than {_LONGEST_LINE} bytes"
                raise Trouble(message, "give a text file with one JSON object on each line")
            yield line


@contextmanager
def opened(name: str) -> Iterator[EventFile]:
    """Open a file, or the standard input for `-`; what can be read only once is copied first."""
    with ExitStack() as until_read:
        try:
            found = _open(name, until_read)
        except OSError as error:
            raise Trouble(f"{name} cannot be read: {error.strerror}", "give a text file") from None
        yield found


def _open(name: str, until_read: ExitStack) -> EventFile:
    path = Path(name)
    if name != STDIN and path.is_file():
        file = until_read.enter_context(path.open("rb"))
        return EventFile(file, path.with_name(path.name + ".place"))
    if name == STDIN and sys.stdin is None:
        raise OSError(0, "it is closed")
    copy = until_read.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - this closes it
    with nullcontext(sys.stdin.buffer) if name == STDIN else path.open("rb") as source:
        shutil.copyfileobj(source, copy)
    return EventFile(copy, None)


def _content(line: bytes) -> bytes:
    return line.removeprefix(_BOM).strip()


def _reason(line: bytes) -> str:
    """Return why a line cannot be sent, or ""."""
    try:
        event = read(_parsed(line))
    except UnicodeDecodeError:
        return "not UTF-8"
    except NotAnEnvelope as error:
        return str(error)
    except (ValueError, RecursionError):
        return "not JSON"
    if isinstance(event, Ignored):
        return event.reason
    return f"larger than {MOST_BYTES} bytes" if len(_body(line)) > MOST_BYTES else ""


def _body(line: bytes) -> str:
    try:
        return json.dumps({"detail": _parsed(line)}, separators=(",", ":"))
    except ValueError:
        message = "the file was changed while it was sent"
        raise Trouble(message, "run it again: it goes on where it was") from None


def _parsed(line: bytes) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(_content(line).decode())
