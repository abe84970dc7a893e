"""Lets a signal end a program in order: whatever it started and wrote goes with it."""

import signal
from types import FrameType


def end_in_order_on_signals() -> None:
    """Make SIGTERM, SIGHUP and SIGINT unwind the program, through every `with` and `finally`.

    SIGTERM and SIGHUP raise SystemExit (128 + the signal's number, as a shell would say it),
    SIGINT raises KeyboardInterrupt, also where a shell had it ignored (`make serve &`).
    """
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGHUP, _exit)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
