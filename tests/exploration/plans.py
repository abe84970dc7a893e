"""What the world does, as lists of steps; what is not on a list is chosen by the explorer."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from tests.exploration.points import Fault, Point
from tests.exploration.promises import Promise, check_end, demand
from tests.exploration.state import Fact
from tests.exploration.system import System
from tests.world import GMAIL, SERVER, SLACK

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


class Step(NamedTuple):
    """One step; what it is about depends on its kind."""

    do: Do
    fact: Fact | None = None
    seconds: int = 0
    auths: tuple[str, ...] = ()
    tries: int = 0

    def __str__(self) -> str:
        about = [str(one) for one in (self.fact and self.fact.id, self.seconds, self.auths) if one]
        return " ".join([self.do.value, *about])


@dataclass(frozen=True)
class Plan:
    """Steps, and the world they begin in."""

    name: str
    steps: tuple[Step, ...]
    cold: bool = False
    """Nothing is known yet: no catalog, no watermark, no memory."""
    page: int = 2


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
    if system.visible():
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
    state, rows = system.state, system.rows()
    watermark = rows.get(("SWEEP", "WATERMARK"), {})
    return (
        watermark.get("read_until", 0) >= state.quiet_from
        and all(
            rows.get(("CATALOG", f"SERVER#{server}"), {}).get("required") == sorted(needs)
            for server, needs in state.servers.items()
        )
        and not state.messages
        # Where the walk over what is due was not ended, the next one takes it over.
        and not any(
            "due_at" in row or ("cursor" in row and key != ("SWEEP", "DUE"))
            for key, row in rows.items()
        )
    )


def _next_minute(system: System) -> None:
    """Let the clock go on to whatever comes next: a message that was hidden, or the schedule."""
    state = system.state
    hidden = [one.visible_at for one in state.messages]
    state.now = max(state.now, min([state.next_tick, *hidden]))
    if state.now >= state.next_tick:
        state.ticks += 1
        stuck = f"after {MOST_TICKS} sweeps something is still to be done"
        demand(state.ticks <= MOST_TICKS, Promise.FINISHES, stuck)
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
        case Do.CONNECT if fact:
            state.accounts = {**state.accounts, fact.id: fact}
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
        case Do.REQUIRE:
            state.servers = {**state.servers, SERVER: step.auths}


GIVE_UP = Step(Do.WAIT)
"""After a delivery: its sender does not repeat it."""


def _again(system: System, step: Step) -> None:
    if step.tries < MOST_TRIES:
        system.state.agenda = (step._replace(tries=step.tries + 1), *system.state.agenda)


def finish(system: System) -> None:
    """Judge where it ended."""
    check_end(system.state, system.rows())


G, S = Fact(GMAIL), Fact(SLACK, at=1, created=1)
OLD, OLDER = Fact(GMAIL, created=-5000), Fact(SLACK, created=-6000)
"""Created so long ago that no sweep looks there: only events tell of them."""
NOTION = Fact("ac_notion", created=-7000)


def connect(*facts: Fact) -> tuple[Step, ...]:
    return tuple(Step(Do.CONNECT, fact) for fact in facts)


CONNECTED = connect(G, S)


def webhook(*facts: Fact) -> tuple[Step, ...]:
    return tuple(Step(Do.DELIVER, fact) for fact in facts)


def bus(*facts: Fact) -> tuple[Step, ...]:
    return tuple(Step(Do.PUBLISH, fact) for fact in facts)


TICK = (Step(Do.TICK), Step(Do.WORK))
LESS = Step(Do.REQUIRE, auths=(GMAIL,))


def _orders() -> list[Plan]:
    plans = []
    for name, facts in {
        "one after the other": (G, S),
        "the other way round": (S, G),
        "the last one twice": (G, S, S),
        "the first one again at last": (G, S, G),
        "only the first is sent": (G,),
        "only the last is sent": (S,),
        "none is sent": (),
    }.items():
        sent = webhook(*facts)
        plans.append(Plan(f"{name}, by webhook", (*CONNECTED, *sent)))
        if facts:
            given_up = tuple(part for one in sent for part in (one, GIVE_UP))
            plans.append(Plan(f"{name}, sent once", (*CONNECTED, *given_up)))
            plans.append(Plan(f"{name}, by the bus", (*CONNECTED, *bus(*facts))))
    return plans


OLD_G, NEW_G = Fact(GMAIL, at=2, status="EXPIRED"), Fact(GMAIL, at=3)
AFTER = (Step(Do.CONNECT, OLD_G), Step(Do.CONNECT, NEW_G))


def plans() -> list[Plan]:
    """Every plan: one user, two accounts, one server."""
    gone = OLD._replace(at=2, status="EXPIRED")
    back = OLD._replace(at=3)
    everything = (*CONNECTED, *webhook(G, S))
    hour = Step(Do.WAIT, seconds=3600)
    idle = Step(Do.WAIT, seconds=240)
    late_s = Fact(SLACK, at=400, created=1)
    return [
        *_orders(),
        Plan("both entry points mixed", (*CONNECTED, *webhook(G), *bus(S, S))),
        Plan("only one account", (Step(Do.CONNECT, G), *webhook(G))),
        Plan("expired and back, in order", (*CONNECTED, *AFTER, *webhook(G, S, OLD_G, NEW_G))),
        Plan("expired and back, reversed", (*CONNECTED, *AFTER, *webhook(NEW_G, OLD_G, G, S))),
        Plan("expired before the last", (CONNECTED[0], CONNECTED[1], AFTER[0], *webhook(G, S))),
        Plan("expired, told late", (*CONNECTED, AFTER[0], *webhook(G, S, OLD_G))),
        Plan(
            "expired and back, told late",
            (*CONNECTED, AFTER[0], *webhook(G, S), AFTER[1], *webhook(NEW_G)),
        ),
        Plan("activated after a sweep", (CONNECTED[0], *TICK, idle, Step(Do.CONNECT, late_s))),
        Plan("a sweep after a long pause", (*CONNECTED, hour), page=1),
        Plan("the server needs less", (CONNECTED[0], *webhook(G), hour, *TICK, LESS)),
        Plan(
            "the server needs less, and the first back-fill is late",
            (*TICK, *connect(OLD), *webhook(OLD), Step(Do.WAIT, seconds=400), *TICK, LESS),
            cold=True,
        ),
        Plan(
            "the server needs more, and the user has it already",
            (
                *connect(NOTION),
                *webhook(NOTION),
                hour,
                Step(Do.REQUIRE, auths=(GMAIL, NOTION.auth, SLACK)),
                *TICK,
                *connect(OLD, OLDER),
                *webhook(OLD, OLDER),
            ),
        ),
        Plan(
            "the server needs more, and an old account is back",
            (
                *connect(OLD),
                Step(Do.WAIT, seconds=400),
                *webhook(OLD),
                Step(Do.REQUIRE, auths=(GMAIL, NOTION.auth)),
                *TICK,
                Step(Do.WORK),
                *connect(NOTION),
                *webhook(NOTION),
            ),
        ),
        Plan("old accounts", (*connect(OLD, OLDER), *webhook(OLD, OLDER))),
        Plan("old accounts, by the bus", (*connect(OLD, OLDER), *bus(OLD), *bus(OLDER))),
        Plan(
            "old accounts, one expired and back, told late",
            (
                *connect(OLD, OLDER, gone),
                *webhook(OLD, OLDER),
                *connect(back),
                *webhook(back),
            ),
        ),
        Plan("the very first", everything, cold=True),
        Plan("the very first, and none is sent", CONNECTED, cold=True, page=1),
        Plan("a sweep in between", (*CONNECTED, *webhook(G), *TICK, *webhook(S))),
    ]


def begin(system: System, plan: Plan) -> None:
    """Begin a plan with what it takes for granted."""
    system.chooser = lambda _: None
    system.restore(system.empty)
    if not plan.cold:
        system.state.agenda = TICK
        while advance(system):
            pass
        system.state = replace(system.state, ticks=0, quiet_from=float("inf"))
    system.state.page = plan.page
    system.state.agenda = plan.steps
