"""Tries every fault at every call, with one invocation at a time.

Between two invocations the system can be saved and restored, so every choice is tried from there.
Where two histories reach the same state, what follows is run once and counted for both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.exploration.faults import FAULTS, ODD, Fault, FaultPoint, cost
from tests.exploration.promises import BrokenPromise
from tests.exploration.steps import Plan, advance, begin, finish
from tests.exploration.system import Snapshot, System
from tests.world import NOW

type Script = Mapping[int, Fault]


class Counterexample(Exception):
    """The trace of a history that breaks a promise."""

    def __init__(self, broken: BrokenPromise, trace: list[str]) -> None:
        super().__init__("\n".join([str(broken), *trace]))
        self.promise = broken.promise


@dataclass
class SequentialExplorer:
    """Explores one plan after the other; `runs` counts the invocations that were really made."""

    system: System
    odd: bool = True
    """Whether one fault may be a wrong answer; two wrong answers would be evidence."""
    runs: int = 0
    _known: dict[tuple[int, int], int] = field(default_factory=dict)
    _trace: list[str] = field(default_factory=list)

    def explore(self, plan: Plan, budget: int) -> int:
        """Return the number of histories of a plan with at most so many faults."""
        self._known.clear()
        self._trace = [f"plan: {plan.name}"]
        try:
            begin(self.system, plan)
        except BrokenPromise as broken:
            raise Counterexample(broken, self._trace) from None
        return self._from_here(budget)

    def _from_here(self, budget: int) -> int:
        key = (self.system.fingerprint(), budget)
        if key not in self._known:
            self._known[key] = self._every_choice(budget)
        return self._known[key]

    def _every_choice(self, budget: int) -> int:
        start = self.system.snapshot()
        histories = 0
        scripts: list[tuple[Script, int]] = [({}, budget)]
        while scripts:
            script, left = scripts.pop()
            self.system.restore(start)
            depth = len(self._trace)
            points, more = self._run(script)
            scripts.extend(
                ({**script, number: fault}, left - cost(fault))
                for number in range(max(script, default=-1) + 1, len(points))
                for fault in FAULTS[points[number].kind]
                if cost(fault) <= left and (fault not in ODD or self._may_be_odd(start, script))
            )
            histories += self._from_here(left) if more else 1
            del self._trace[depth:]
        return histories

    def _may_be_odd(self, start: Snapshot, script: Script) -> bool:
        return self.odd and not start.state.odd_answer_at and ODD.isdisjoint(script.values())

    def _run(self, script: Script) -> tuple[list[FaultPoint], bool]:
        """Take one step with these faults; return its points, and whether there is more."""
        points: list[FaultPoint] = []
        said: list[str] = []

        def choose(point: FaultPoint) -> Fault | None:
            fault = script.get(len(points))
            points.append(point)
            if fault:
                said.append(f"    {point} {fault}")
            return fault

        self.system.chooser = choose
        self.runs += 1
        try:
            step = advance(self.system)
            if step is None:
                finish(self.system)
        except BrokenPromise as broken:
            choices = " ".join(f"{number}:{fault.name}" for number, fault in script.items())
            raise Counterexample(broken, [*self._trace, f"last step [{choices}]", *said]) from None
        clock = f"{self.system.state.now - NOW:.0f} s"
        self._trace.append("\n".join([f"{clock}: {step}", *said]))
        return points, step is not None
