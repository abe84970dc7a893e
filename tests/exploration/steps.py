"""What the world does, as lists of steps; what is not on a list is chosen by the explorer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from tests.exploration.points import Fault, Point
from tests.exploration.promises import check_end, demand, finishing
from tests.exploration.state import Fact
from tests.exploration.system import System
from tests.world import SERVER

MINUTE = 60
MOST_TICKS = 40
MOST_TRIES = 5
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
    """Steps, and the world they begin in."""

    name: str
    steps: tuple[Step, ...]
    cold: bool = False
    """Nothing is known yet: no catalog, no watermark, no memory."""
    page: int = 2
    faults: int = 2
    """So many at a time are explored by `make prove`; one, where two would take too long."""
    long: bool = False
    """`make test` leaves it out."""
    known: tuple[Step, ...] = ()
    """What has happened, and is known, before it begins; not where it is cold."""


def advance(system: System) -> str | None:
    """Take the next step, and return what it was; None when nothing is left to come."""
    state = system.state
    if state.agenda:
        step = state.agenda[0]
        state.agenda = state.agenda[1:]
        state.now += 1
        take(system, step)
        if not state.agenda:
            state.quiet_from, state.next_tick = state.now, state.now + MINUTE
        return str(step)
    if system.state.visible():
        system.work()
        return Do.WORK.value
    if _rests(system):
        if not state.late:
            return None
        if system.chooser(Point(WHO, "late", "the late write")) is not Fault.LANDS:
            state.late = ()
            return "the late write never arrives"
        system.land()
        return "the late write"
    if state.ticks > MOST_TICKS:
        return None
    _next_minute(system)
    return Do.TICK.value


def _rests(system: System) -> bool:
    """Whether nothing would change any more, but by more events."""
    return _caught_up(system) and not _due(system)


def _caught_up(system: System) -> bool:
    """Whether nothing is left to be done but what is due at a later time."""
    state, rows = system.state, system.rows()
    catalog = {server: rows.get(("CATALOG", f"SERVER#{server}"), {}) for server in state.servers}
    read_until = rows.get(("SWEEP", "WATERMARK"), {}).get("read_until", 0)
    return (
        read_until >= state.quiet_from
        # A list that was wrong once is made good by the next sweep.
        and read_until > state.odd
        and all(
            catalog[server].get("required") == sorted(needs) and "left" not in catalog[server]
            for server, needs in state.servers.items()
        )
        and all(state.is_about_the_full(one.body) for one in state.messages)
        # Where the walk over what is due was not ended, the next one takes it over.
        and not any("cursor" in row and key != ("SWEEP", "DUE") for key, row in rows.items())
    )


def _due(system: System) -> list[Mapping[str, Any]]:
    """Return the rows that are due; an instance that has failed after the sunset stays so."""
    return [
        row
        for (_, sort_key), row in system.rows().items()
        if "due_at" in row
        and not (system.state.sunset and row["status"] == "failed" and "INSTANCE#" in sort_key)
    ]


def _next_minute(system: System) -> None:
    """Let the clock go on to whatever comes next: a message that was hidden, or the schedule."""
    state, due = system.state, _due(system)
    if {row["status"] for row in due} == {"failed"} and _caught_up(system):
        # Hours in which nothing happens.
        state.next_tick = max(state.next_tick, min(row["due_at"] for row in due))
    hidden = [one.visible_at for one in state.messages]
    state.now = max(state.now, min([state.next_tick, *hidden]))
    if state.now >= state.next_tick:
        state.ticks += 1
        stuck = f"after {MOST_TICKS} sweeps something is still to be done"
        demand(state.ticks <= MOST_TICKS, finishing(state), stuck)
        state.next_tick += MINUTE
        _tick(system)


def _tick(system: System) -> None:
    fault = system.choose(Point(WHO, "tick", "the schedule's message"))
    times = {Fault.LOST: 0, Fault.TWICE: 2}.get(fault, 1) if fault else 1
    for _ in range(times):
        system.put({"task": "sweep"})


def take(system: System, step: Step) -> None:
    """Do one step of an agenda."""
    state, fact = system.state, step.fact
    match step.do:
        case Do.DELIVER if fact:
            if not system.deliver(fact) and state.agenda[:1] != (GIVE_UP,):
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
    """Let the world become another one, of which nobody is told."""
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


GIVE_UP = Step(Do.WAIT)
"""After a delivery: its sender does not repeat it."""


def _again(system: System, step: Step) -> None:
    if step.tries < MOST_TRIES:
        system.state.agenda = (step._replace(tries=step.tries + 1), *system.state.agenda)


def finish(system: System) -> None:
    """Judge where it ended."""
    check_end(system.state, system.rows())


TICK = (Step(Do.TICK), Step(Do.WORK))


def begin(system: System, plan: Plan) -> None:
    """Begin a plan with what it takes for granted."""
    system.chooser = lambda _: None
    system.restore(system.empty)
    if not plan.cold:
        system.state.agenda = (*plan.known, *TICK)
        while advance(system):
            pass
        system.state = replace(system.state, ticks=0, quiet_from=float("inf"))
    system.state.page = plan.page
    system.state.agenda = plan.steps
