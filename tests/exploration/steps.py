"""What happens next: the steps of a plan, then the queue and the schedule until all is done."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from tests.exploration.faults import Fault, FaultPoint
from tests.exploration.promises import check_end, promise_if_unfinished, require_that
from tests.exploration.state import Fact
from tests.exploration.system import System
from tests.world import SERVER

MINUTE = 60
MAX_SWEEPS = 40
MAX_RETRIES = 5
WHO = "world"


class Do(StrEnum):
    """The kinds of steps."""

    CONNECT = "the account becomes at Composio"
    DELIVER = "the webhook is sent"
    PUBLISH = "the bus is told"
    WORK = "the worker takes messages"
    TICK = "the schedule sends its message"
    WAIT = "time passes"
    REQUIRE = "the server requires"
    ENROL = "the servers that are enrolled:"
    REFUSE = "Composio will refuse a create call for a reason"
    FILL = "the user's item is full"
    PUT = "the session profile is put, and requires"
    SUNSET = "Composio removes MCP servers"


class Step(NamedTuple):
    """One step; what it is about depends on its kind."""

    do: Do
    fact: Fact | None = None
    seconds: int = 0
    ids: tuple[str, ...] = ()
    """Of auth configs, or of servers."""
    tries: int = 0

    def __str__(self) -> str:
        about = [str(one) for one in (self.fact and self.fact.id, self.seconds, self.ids) if one]
        return " ".join([self.do.value, *about])


@dataclass(frozen=True)
class Plan:
    """Steps, and the state in which they start."""

    name: str
    steps: tuple[Step, ...]
    cold: bool = False
    """Start without a catalog, a watermark and anything in memory."""
    page: int = 2
    faults: int = 2
    """How many faults `make prove` injects in one history; 1 where 2 would take too long."""
    long: bool = False
    """`make test` leaves it out."""
    known: tuple[Step, ...] = ()
    """Steps that are taken without faults before the plan starts, unless it is cold."""


def advance(system: System) -> str | None:
    """Take the next step, and return what it was; None when nothing is left to come."""
    state = system.state
    if state.pending_steps:
        step = state.pending_steps[0]
        state.pending_steps = state.pending_steps[1:]
        state.now += 1
        perform(system, step)
        if not state.pending_steps:
            state.steps_done_at, state.next_tick = state.now, state.now + MINUTE
        return str(step)
    if system.state.visible():
        system.work()
        return Do.WORK.value
    if _is_idle(system):
        if not state.late_writes:
            return None
        if system.chooser(FaultPoint(WHO, "late", "the late write")) is not Fault.ARRIVES:
            state.late_writes = ()
            return "the late write never arrives"
        system.apply_late_write()
        return "the late write"
    if state.ticks > MAX_SWEEPS:
        return None
    _next_minute(system)
    return Do.TICK.value


def _is_idle(system: System) -> bool:
    """Whether nothing changes any more without another event."""
    return _is_caught_up(system) and not _due(system)


def _is_caught_up(system: System) -> bool:
    """Whether nothing is left to do except what is due later."""
    state, rows = system.state, system.rows()
    catalog = {server: rows.get(("CATALOG", f"SERVER#{server}"), {}) for server in state.servers}
    read_until = rows.get(("SWEEP", "WATERMARK"), {}).get("read_until", 0)
    return (
        read_until >= state.steps_done_at
        # The next sweep corrects what a wrong list has caused.
        and read_until > state.odd_answer_at
        and all(
            catalog[server].get("required") == sorted(needs) and "left" not in catalog[server]
            for server, needs in state.servers.items()
        )
        and all(state.concerns_full_user(one.body) for one in state.messages)
        # An unfinished walk over due targets is continued by the next sweep.
        and not any("cursor" in row and key != ("SWEEP", "DUE") for key, row in rows.items())
    )


def _due(system: System) -> list[Mapping[str, Any]]:
    """Return the rows with a due time, without instances that failed after the sunset."""
    return [
        row
        for (_, sort_key), row in system.rows().items()
        if "due_at" in row
        and not (system.state.sunset and row["status"] == "failed" and "INSTANCE#" in sort_key)
    ]


def _next_minute(system: System) -> None:
    """Move the clock to the next visible message or the next run of the schedule."""
    state, due = system.state, _due(system)
    if {row["status"] for row in due} == {"failed"} and _is_caught_up(system):
        # Skip the hours until a failed target is tried again.
        state.next_tick = max(state.next_tick, min(row["due_at"] for row in due))
    hidden = [one.visible_at for one in state.messages]
    state.now = max(state.now, min([state.next_tick, *hidden]))
    if state.now >= state.next_tick:
        state.ticks += 1
        stuck = f"after {MAX_SWEEPS} sweeps something is still to be done"
        require_that(state.ticks <= MAX_SWEEPS, promise_if_unfinished(state), stuck)
        state.next_tick += MINUTE
        _tick(system)


def _tick(system: System) -> None:
    fault = system.choose(FaultPoint(WHO, "tick", "the schedule's message"))
    times = {Fault.LOST: 0, Fault.TWICE: 2}.get(fault, 1) if fault else 1
    for _ in range(times):
        system.put({"task": "sweep"})


def perform(system: System, step: Step) -> None:
    """Take one step of a plan."""
    state, fact = system.state, step.fact
    match step.do:
        case Do.DELIVER if fact:
            if not system.deliver(fact) and state.pending_steps[:1] != (NO_RETRY,):
                _again(system, step)
        case Do.PUBLISH if fact:
            system.publish(fact)
        case Do.WORK:
            system.work()
        case Do.TICK:
            _tick(system)
        case Do.WAIT:
            state.now += step.seconds
        case _:
            _change(system, step)


def _change(system: System, step: Step) -> None:
    """Change Composio, the configuration or the table, without an event."""
    state, fact = system.state, step.fact
    match step.do:
        case Do.CONNECT if fact:
            state.accounts = {**state.accounts, fact.id: fact}
        case Do.REQUIRE:
            state.servers = {**state.servers, SERVER: step.ids}
        case Do.ENROL:
            system.enrol(*step.ids)
        case Do.REFUSE:
            state.refusals += 1
        case Do.FILL if fact:
            system.fill(fact.user)
        case Do.PUT:
            system.put_profile(step.ids)
        case Do.SUNSET:
            state.sunset = True


NO_RETRY = Step(Do.WAIT)
"""After a delivery, says that its sender does not retry."""


def _again(system: System, step: Step) -> None:
    if step.tries < MAX_RETRIES:
        system.state.pending_steps = (
            step._replace(tries=step.tries + 1),
            *system.state.pending_steps,
        )


def finish(system: System) -> None:
    """Check the promises at the end of a history."""
    check_end(system.state, system.rows())


TICK = (Step(Do.TICK), Step(Do.WORK))


def begin(system: System, plan: Plan) -> None:
    """Start a plan, after a first sweep unless it starts cold."""
    system.chooser = lambda _: None
    system.restore(system.empty)
    if not plan.cold:
        system.state.pending_steps = (*plan.known, *TICK)
        while advance(system):
            pass
        system.state = replace(system.state, ticks=0, steps_done_at=float("inf"))
    system.state.page = plan.page
    system.state.pending_steps = plan.steps
