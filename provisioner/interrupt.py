"""Ctrl-C and SIGTERM end the program within a second, whatever it is waiting for."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

EXIT_CODE = 128 + signal.SIGINT
_GRACE_SECONDS = 0.7
"""For everything to end in order."""
_CLEANUP_SECONDS = 10.0

_cleaning = threading.Event()


def install() -> None:
    """Have the signals end the program in order, and end the process if that is not enough.

    It is not enough while the main thread is in a call that cannot be interrupted (the lookup of
    a host name), or while Python waits for the threads of a pool.
    """
    if os.name != "posix":
        return
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, _end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    threading.Thread(target=_watch, args=(read,), daemon=True).start()


@contextlib.contextmanager
def cleanup() -> Iterator[None]:
    """Let what is done in this context end first, within ten seconds."""
    _cleaning.set()
    try:
        yield
    finally:
        _cleaning.clear()


def _watch(read: int) -> None:
    ending = (signal.SIGINT, signal.SIGTERM)
    while (number := os.read(read, 1)[0]) not in ending:
        pass
    end = time.monotonic() + _CLEANUP_SECONDS
    time.sleep(_GRACE_SECONDS)
    while _cleaning.is_set() and time.monotonic() < end:
        time.sleep(0.05)
    os._exit(128 + number)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    # What was being made when the signal came may be half made, and fails when it is freed.
    sys.unraisablehook = lambda _: None
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
