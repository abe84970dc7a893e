"""Lets a signal end a program in order: whatever it started and wrote goes with it."""

import signal
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def end_in_order_on_signals() -> None:
    """Make the first SIGTERM, SIGHUP or SIGINT unwind the program, through every `finally`.

    SIGTERM and SIGHUP raise SystemExit (128 + the signal's number, as a shell would say it),
    SIGINT raises KeyboardInterrupt, also where a shell had it ignored (`make serve &`).
    """
    for each in _ENDING:
        signal.signal(each, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    # Once: whoever signals a whole group signals make too, which passes it on, and the second
    # signal would cut the unwinding short.
    for each in _ENDING:
        signal.signal(each, _not_again)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _not_again(_number: int, _frame: FrameType | None) -> None:
    """Let the unwinding go on."""
