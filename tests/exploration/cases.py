"""The cases: invocations that run at the same time."""

from tests.exploration.faults import FaultPoint
from tests.exploration.interleaved import Case, Job
from tests.exploration.plans import HOUR, LESS, OLD, OLDER, G, S, connect, webhook
from tests.exploration.state import Fact
from tests.exploration.steps import TICK, Do, Step, perform
from tests.exploration.system import System
from tests.world import GMAIL, SERVER

CONNECTED = connect(G, S)
NEWER = S._replace(at=9)
GONE, BACK = OLD._replace(at=2, status="EXPIRED"), OLD._replace(at=3)


def sent(fact: Fact, name: str = "webhook") -> tuple[str, Job]:
    return name, lambda system: system.deliver(fact, name)


def message(body: object, name: str = "worker") -> tuple[str, Job]:
    """Put a message into the queue and have a worker take it."""

    def job(system: System) -> None:
        system.put(body)
        system.work(name, batch=1)

    return name, job


def happens(*steps: Step, then: Fact | None = None, name: str = "world") -> tuple[str, Job]:
    """Take these steps at some moment, and then deliver an event if one is given."""

    def job(system: System) -> None:
        for step in steps:
            system.choose(FaultPoint(name, "world", str(step)))
            perform(system, step)
        if then:
            system.deliver(then, name)

    return name, job


def by_bus(fact: Fact, name: str = "worker") -> tuple[str, Job]:
    def job(system: System) -> None:
        system.publish(fact)
        system.work(name, batch=1)

    return name, job


def both(*jobs: tuple[str, Job]) -> tuple[str, Job]:
    """Run the jobs one after the other in the same execution environment."""

    def job(system: System) -> None:
        for _, one in jobs:
            one(system)

    return jobs[0][0], job


AFTER_A_MINUTE = (Step(Do.WORK), Step(Do.WAIT, seconds=100))
BEFORE, BEHIND = (
    Fact(GMAIL, user="user_2", created=-4000),
    Fact(GMAIL, user="user_3", created=-6000),
)
"""Accounts of other users, on the pages before and after the page of `OLD`."""

BACKFILL = {"task": "backfill", "target": f"INSTANCE#{SERVER}"}
SWEEP = {"task": "sweep"}


def two() -> list[Case]:
    """Cases of two concurrent invocations."""
    return [
        Case("two last accounts", CONNECTED, (sent(G), sent(S, "webhook-2")), webhook(G, S)),
        Case(
            "the last account, twice",
            (*CONNECTED, *webhook(G)),
            (sent(S), by_bus(S)),
            webhook(S),
        ),
        Case(
            "two old last accounts",
            connect(OLD, OLDER),
            (sent(OLD), by_bus(OLDER)),
            webhook(OLD, OLDER),
        ),
        Case(
            "the last account, and back from expiry",
            (*connect(OLD, OLDER, GONE), *webhook(OLD)),
            (sent(OLDER), happens(*connect(BACK), then=BACK, name="webhook-2")),
            webhook(BACK, OLDER),
        ),
        Case(
            "the last account, and a sweep",
            (*CONNECTED, *webhook(G)),
            (sent(S), message(SWEEP)),
            webhook(S),
        ),
        Case(
            "refused, and news",
            (*CONNECTED, *webhook(G), Step(Do.REFUSE)),
            (sent(S), happens(*connect(NEWER), then=NEWER, name="webhook-2")),
            webhook(S, NEWER),
        ),
        Case(
            "a back-fill, and an account of the page before goes",
            (*connect(OLD, BEFORE, BEHIND), *webhook(OLD), HOUR, LESS, *TICK, *AFTER_A_MINUTE),
            (message(BACKFILL), happens(*connect(BEFORE._replace(status="EXPIRED", at=9)))),
            pauses=0,
            page=1,
        ),
    ]


def three() -> list[Case]:
    """Cases of three concurrent invocations."""
    return [
        Case(
            "the last account, three times",
            (*CONNECTED, *webhook(G)),
            (sent(S), sent(S, "webhook-2"), by_bus(S)),
            webhook(S),
            pauses=0,
            long=True,
        ),
        Case(
            "a server needs less, and two workers",
            (*connect(OLD), *webhook(OLD), Step(Do.WAIT, seconds=400)),
            (
                happens(LESS),
                message(SWEEP),
                both(by_bus(OLD, "worker-2"), message(BACKFILL, "worker-2")),
            ),
            pauses=0,
        ),
    ]
