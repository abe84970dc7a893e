"""The plans: one user, two accounts, one server; somebody else where they say so."""

from handler.stored_catalog import REFRESH_SECONDS
from tests.exploration.state import Fact
from tests.exploration.steps import NO_RETRY, TICK, Do, Plan, Step
from tests.world import GMAIL, SERVER, SLACK

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


HOUR = Step(Do.WAIT, seconds=3600)
LESS = Step(Do.REQUIRE, ids=(GMAIL,))
DUE = Step(Do.WAIT, seconds=REFRESH_SECONDS)
"""The next sweep reads at Composio what the server requires."""


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
        sent, long = webhook(*facts), name != "one after the other"
        plans.append(Plan(f"{name}, by webhook", (*CONNECTED, *sent)))
        if facts:
            given_up = tuple(part for one in sent for part in (one, NO_RETRY))
            plans.append(Plan(f"{name}, sent once", (*CONNECTED, *given_up), long=long))
            plans.append(Plan(f"{name}, by the bus", (*CONNECTED, *bus(*facts)), long=long))
    return plans


OLD_G, NEW_G = Fact(GMAIL, at=2, status="EXPIRED"), Fact(GMAIL, at=3)
AFTER = (Step(Do.CONNECT, OLD_G), Step(Do.CONNECT, NEW_G))


FUTURE = Fact(GMAIL, at=30_000_000_000)
"""Of the year 2976."""
BARE = OLD._replace(bare=True)
FULL = Fact(GMAIL, user="user_full")
REFUSED = (Step(Do.REFUSE), *CONNECTED, *webhook(G, S))


def _not_final() -> list[Plan]:
    """Create calls that are refused for a reason, and facts that are not as they should be."""
    newer = S._replace(at=9)
    news = (*connect(newer), *webhook(newer))
    expired = OLD._replace(at=FUTURE.at, status="EXPIRED")
    ahead = OLD._replace(at=FUTURE.at)
    return [
        Plan("refused, and no news", REFUSED),
        Plan("refused, then news", (*REFUSED, *news)),
        Plan("refused twice, then news", (Step(Do.REFUSE), *REFUSED, *news), faults=1, long=True),
        Plan("refused, then disabled", (*REFUSED, *connect(S._replace(disabled=True))), faults=1),
        Plan("disabled before the last", (*connect(G._replace(disabled=True), S), *webhook(G, S))),
        Plan("from the future", (*connect(FUTURE, S), *webhook(FUTURE, S))),
        Plan(
            "expired in the future by an event",
            (*connect(OLD, OLDER), *webhook(OLD, expired, OLDER)),
        ),
        Plan("an old account, from the future", (*connect(ahead, OLDER), *webhook(OLDER, ahead))),
        Plan("an old account, only named", (*connect(BARE, OLDER), *webhook(OLDER, BARE))),
        Plan("an old account, only named by the bus", (*connect(BARE, OLDER), *bus(OLDER, BARE))),
    ]


def _isolated() -> list[Plan]:
    """Somebody else's item is full."""
    full = (Step(Do.FILL, FULL), *connect(FULL._replace(created=-100)))
    return [
        Plan("a full item, and a sweep", (*full, *CONNECTED), page=1),
        Plan("a full item, and its event", (*full, *CONNECTED, *bus(FULL, G, S))),
        Plan(
            "a full item, and a server needs less",
            (*connect(OLD), *webhook(OLD), *full, HOUR, *TICK, LESS, DUE),
            page=1,
            faults=1,
            long=True,
        ),
    ]


def _enrolled_again() -> list[Plan]:
    """The server is taken out, accounts are connected, and it is enrolled again."""
    out, again = Step(Do.ENROL), Step(Do.ENROL, ids=(SERVER,))
    away = (out, *TICK, *TICK, *TICK)
    return [
        Plan("enrolled again", (*away, *connect(OLD, OLDER), *webhook(OLD, OLDER), again)),
        Plan(
            "enrolled again, and needs less",
            (*connect(OLD), *webhook(OLD), *away, LESS, again),
        ),
    ]


def plans() -> list[Plan]:
    """Every plan."""
    gone = OLD._replace(at=2, status="EXPIRED")
    back = OLD._replace(at=3)
    everything = (*CONNECTED, *webhook(G, S))
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
        Plan("a sweep after a long pause", (*CONNECTED, HOUR), page=1),
        Plan("the server needs less", (CONNECTED[0], *webhook(G), HOUR, *TICK, LESS, DUE)),
        Plan(
            "the server needs less, and the first back-fill is late",
            (*TICK, *connect(OLD), *webhook(OLD), Step(Do.WAIT, seconds=400), *TICK, LESS, DUE),
            cold=True,
            long=True,
        ),
        Plan(
            "the server needs more, and the user has it already",
            (
                *connect(NOTION),
                *webhook(NOTION),
                HOUR,
                Step(Do.REQUIRE, ids=(GMAIL, NOTION.auth, SLACK)),
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
                Step(Do.REQUIRE, ids=(GMAIL, NOTION.auth)),
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
        *_not_final(),
        *_isolated(),
        *_enrolled_again(),
        Plan("a sweep in between", (*CONNECTED, *webhook(G), *TICK, *webhook(S))),
    ]
