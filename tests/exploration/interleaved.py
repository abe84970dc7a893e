"""Tries every order in which concurrent invocations can make their calls.

Odd answers are left to `single`: here they would take hours.

Where two orders lead to the same moment - the same table and world, and the same answers seen by
each invocation - what follows is looked at once, and counted for both. Nothing else is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.exploration.faults import FAULTS, ODD, cost
from tests.exploration.promises import BrokenPromise
from tests.exploration.schedule import Move, Session
from tests.exploration.sequential import Counterexample
from tests.exploration.steps import NO_RETRY, Plan, Step, advance, begin, finish
from tests.exploration.system import Snapshot, System

type Job = Callable[[System], object]


@dataclass(frozen=True)
class Case:
    """Steps before, concurrent jobs, and the events that are delivered again afterwards."""

    name: str
    before: tuple[Step, ...]
    jobs: tuple[tuple[str, Job], ...]
    after: tuple[Step, ...] = ()
    pauses: int = 1
    """How often the clock may jump while an invocation waits at a call."""
    page: int = 2
    long: bool = False
    """Whether only `make prove` explores it."""


@dataclass
class InterleavedExplorer:
    """Explores one case after the other; `moments` counts those that were really visited."""

    system: System
    moments: int = 0
    _explored: Case | None = None
    _start: Snapshot | None = None
    _known: dict[tuple[int, int, int], int] = field(default_factory=dict)
    _ends: set[int] = field(default_factory=set)
    _trace: list[str] = field(default_factory=list)

    def explore(self, case: Case, budget: int) -> int:
        """Return the number of histories of a case with at most so many faults."""
        self._known.clear()
        self._ends.clear()
        self._explored = case
        self.system.on_answer = None
        self._trace = [f"case: {case.name}"]
        try:
            begin(self.system, Plan(case.name, case.before, page=case.page))
            while self.system.state.pending_steps or self.system.state.visible():
                advance(self.system)
            self.system.state.steps_done_at = float("inf")
            self._start = self.system.snapshot()
            return self._from([], None, budget, case.pauses)
        except BrokenPromise as broken:
            raise Counterexample(broken, self._trace) from None
        finally:
            self.system.on_answer = None

    def _replayed(self, moves: list[Move]) -> Session:
        assert self._explored
        assert self._start
        self.system.restore(self._start)
        jobs = [(name, lambda job=job: job(self.system)) for name, job in self._explored.jobs]
        session = Session(self.system, jobs)
        self._trace = self._trace[:1]
        for move in moves:
            self._trace.append(session.move(move))
        return session

    def _from(self, moves: list[Move], at: Session | None, budget: int, pauses: int) -> int:
        session = at or self._replayed(moves)
        key = (session.moment(), budget, pauses)
        if key in self._known:
            session.end()
            return self._known[key]
        self.moments += 1
        choices = self._choices(session, budget, pauses)
        histories = 0
        for number, move in enumerate(choices):
            session = session if number == 0 else self._replayed(moves)
            try:
                self._trace.append(session.move(move))
            except BrokenPromise:
                self._trace.append(f"    at last {move}")
                session.end()
                raise
            left = budget - (cost(move.fault) if move.fault else 0)
            histories += self._from([*moves, move], session, left, pauses - (move.who is None))
        if not choices:
            session.end()
            self._settle_down()
        self._known[key] = max(histories, 1)
        return self._known[key]

    def _choices(self, session: Session, budget: int, pauses: int) -> list[Move]:
        moves = []
        for who, invocation in enumerate(session.invocations):
            if invocation.done:
                continue
            moves.append(Move(who))
            faults = FAULTS.get(invocation.at.kind, ()) if invocation.at else ()
            moves.extend(Move(who, one) for one in faults if cost(one) <= budget and one not in ODD)
        if moves and pauses and any(invocation.at for invocation in session.invocations):
            moves.append(Move(None))
        return moves

    def _settle_down(self) -> None:
        system = self.system
        system.chooser, system.on_answer = (lambda _: None), None
        end = system.fingerprint()
        if end in self._ends:
            return
        self._ends.add(end)
        assert self._explored
        self._trace.append("then, without another fault:")
        system.state.pending_steps = (*self._explored.after, NO_RETRY)
        while said := advance(system):
            self._trace.append(f"    {said}")
        finish(system)
