"""Lets a signal end a program through every `finally`, so that nothing is left behind."""

import signal
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def unwind_on_signals() -> None:
    """Let the first SIGTERM, SIGHUP or SIGINT unwind the program.

    SIGTERM and SIGHUP raise SystemExit (128 + the signal's number, as a shell would report it),
    SIGINT raises KeyboardInterrupt, also where a shell had it ignored (`make serve &`).
    """
    for each in _SIGNALS:
        signal.signal(each, _unwind)


def _unwind(number: int, _frame: FrameType | None) -> None:
    # Only once: a signal to a whole process group reaches make too, which passes it on, and the
    # second signal would cut the unwinding short.
    for each in _SIGNALS:
        signal.signal(each, lambda *_: None)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
