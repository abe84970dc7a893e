"""What happens at once."""

from tests.exploration.interleaved import Concurrent, Job
from tests.exploration.plans import HOUR, LESS, OLD, OLDER, G, S, connect, webhook
from tests.exploration.points import Point
from tests.exploration.state import Fact
from tests.exploration.steps import TICK, Do, Step, take
from tests.exploration.system import System
from tests.world import GMAIL, SERVER

CONNECTED = connect(G, S)
NEWER = S._replace(at=9)
GONE, BACK = OLD._replace(at=2, status="EXPIRED"), OLD._replace(at=3)


def sent(fact: Fact, name: str = "webhook") -> tuple[str, Job]:
    return name, lambda system: system.deliver(fact, name)


def message(body: object, name: str = "worker") -> tuple[str, Job]:
    """A worker of its own takes a message of its own."""

    def job(system: System) -> None:
        system.put(body)
        system.work(name, batch=1)

    return name, job


def happens(*steps: Step, then: Fact | None = None, name: str = "world") -> tuple[str, Job]:
    """The world goes on at some moment, and perhaps tells of it."""

    def job(system: System) -> None:
        for step in steps:
            system.choose(Point(name, "world", str(step)))
            take(system, step)
        if then:
            system.deliver(then, name)

    return name, job


def told(fact: Fact, name: str = "worker") -> tuple[str, Job]:
    def job(system: System) -> None:
        system.publish(fact)
        system.work(name, batch=1)

    return name, job


def both(*jobs: tuple[str, Job]) -> tuple[str, Job]:
    """One after the other, in the same execution environment."""

    def job(system: System) -> None:
        for _, one in jobs:
            one(system)

    return jobs[0][0], job


AFTER_A_MINUTE = (Step(Do.WORK), Step(Do.WAIT, seconds=100))
BEFORE, BEHIND = (
    Fact(GMAIL, user="user_2", created=-4000),
    Fact(GMAIL, user="user_3", created=-6000),
)
"""Of others, and on the pages of a list before the user's own, and behind it."""

BACKFILL = {"task": "backfill", "target": f"INSTANCE#{SERVER}"}
SWEEP = {"task": "sweep"}


def two() -> list[Concurrent]:
    """Two at once."""
    return [
        Concurrent("two last accounts", CONNECTED, (sent(G), sent(S, "webhook-2")), webhook(G, S)),
        Concurrent(
            "the last account, twice",
            (*CONNECTED, *webhook(G)),
            (sent(S), told(S)),
            webhook(S),
        ),
        Concurrent(
            "two old last accounts",
            connect(OLD, OLDER),
            (sent(OLD), told(OLDER)),
            webhook(OLD, OLDER),
        ),
        Concurrent(
            "the last account, and back from expiry",
            (*connect(OLD, OLDER, GONE), *webhook(OLD)),
            (sent(OLDER), happens(*connect(BACK), then=BACK, name="webhook-2")),
            webhook(BACK, OLDER),
        ),
        Concurrent(
            "the last account, and a sweep",
            (*CONNECTED, *webhook(G)),
            (sent(S), message(SWEEP)),
            webhook(S),
        ),
        Concurrent(
            "refused, and news",
            (*CONNECTED, *webhook(G), Step(Do.REFUSE)),
            (sent(S), happens(*connect(NEWER), then=NEWER, name="webhook-2")),
            webhook(S, NEWER),
        ),
        Concurrent(
            "a back-fill, and an account of the page before goes",
            (*connect(OLD, BEFORE, BEHIND), *webhook(OLD), HOUR, LESS, *TICK, *AFTER_A_MINUTE),
            (message(BACKFILL), happens(*connect(BEFORE._replace(status="EXPIRED", at=9)))),
            pauses=0,
            page=1,
        ),
    ]


def three() -> list[Concurrent]:
    """Three at once."""
    return [
        Concurrent(
            "the last account, three times",
            (*CONNECTED, *webhook(G)),
            (sent(S), sent(S, "webhook-2"), told(S)),
            webhook(S),
            pauses=0,
            long=True,
        ),
        Concurrent(
            "a server needs less, and two workers",
            (*connect(OLD), *webhook(OLD), Step(Do.WAIT, seconds=400)),
            (
                happens(LESS),
                message(SWEEP),
                both(told(OLD, "worker-2"), message(BACKFILL, "worker-2")),
            ),
            pauses=0,
        ),
    ]
