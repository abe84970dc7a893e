"""Concurrent invocations in threads, of which one at a time runs until its next call."""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.exploration.faults import Fault, FaultPoint
from tests.exploration.system import System

PAUSE_SECONDS = 24
"""The longest that any invocation can be held up and still live: a function has 25 s."""


class Move(NamedTuple):
    """Which invocation goes on, and with which fault; None lets time pass instead."""

    who: int | None
    fault: Fault | None = None


class Abandoned(BaseException):
    """The history is not followed any further."""


class Invocation:
    """An invocation in a thread of its own, which waits at each of its calls for its turn."""

    def __init__(
        self, name: str, job: Callable[[], object], scheduler: threading.Semaphore
    ) -> None:
        self.name = name
        self.at: FaultPoint | None = None
        self.seen = 0
        self.done = False
        self.broken: BaseException | None = None
        self._job = job
        self._scheduler = scheduler
        self._turn = threading.Semaphore(0)
        self._fault: Fault | None = None
        self._abandoned = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self._job()
        except Abandoned:
            pass
        except BaseException as broken:  # noqa: BLE001 - it is raised again in the session
            self.broken = broken
        self.done, self.at = True, None
        self._scheduler.release()

    def wait(self, point: FaultPoint) -> Fault | None:
        """Stop at a call until it is this invocation's turn; runs in its own thread."""
        self.at = point
        self._scheduler.release()
        self._turn.acquire()
        if self._abandoned:
            raise Abandoned
        return self._fault

    def move(self, fault: Fault | None) -> None:
        """Let it run until its next call; called from the explorer's thread."""
        self._fault = fault
        if self.thread.ident is None:
            self.thread.start()
        else:
            self._turn.release()
        self._scheduler.acquire()

    def abandon(self) -> None:
        """End its thread."""
        if self.thread.ident is not None and not self.done:
            self._abandoned = True
            self.move(None)
            self.thread.join()


class Session:
    """Jobs by the name of the execution environment that they run in."""

    def __init__(self, system: System, jobs: Sequence[tuple[str, Callable[[], object]]]) -> None:
        scheduler = threading.Semaphore(0)
        self.system = system
        self.invocations = [Invocation(name, job, scheduler) for name, job in jobs]
        self._by_thread = {one.thread: one for one in self.invocations}
        system.chooser = self._choose
        system.on_answer = self._note

    def _choose(self, point: FaultPoint) -> Fault | None:
        return self._by_thread[threading.current_thread()].wait(point)

    def _note(self, _: str, text: str) -> None:
        invocation = self._by_thread[threading.current_thread()]
        invocation.seen = hash((invocation.seen, self.system.state.now, text))

    def move(self, move: Move) -> str:
        """Make a move, and say what it was."""
        if move.who is None:
            # Who is held up that long may be killed for it.
            self.system.state.now += PAUSE_SECONDS
            self.system.state.faults += 1
            return f"    {PAUSE_SECONDS} s pass"
        invocation = self.invocations[move.who]
        said = f"    {invocation.at or f'{invocation.name} begins'}"
        said += f" {move.fault}" if move.fault else ""
        invocation.move(move.fault)
        if invocation.broken:
            raise invocation.broken
        return said

    def moment(self) -> int:
        """Return a number that is the same where everything that follows is the same."""
        where = [(one.at, one.seen, one.done, one.thread.ident is None) for one in self.invocations]
        return hash((self.system.fingerprint(by_name=True), repr(where)))

    def end(self) -> None:
        """Leave no thread behind."""
        for invocation in self.invocations:
            invocation.abandon()
