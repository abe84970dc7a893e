"""What happens to a user who gets a session, beside the instance or after the sunset."""

from tests.exploration.cases import by_bus, happens, sent
from tests.exploration.interleaved import Case
from tests.exploration.plans import CONNECTED, NOTION, OLD, OLDER, G, S, bus, connect, webhook
from tests.exploration.steps import TICK, Do, Plan, Step
from tests.world import GMAIL, SLACK

PUT = Step(Do.PUT, ids=(GMAIL, SLACK))
SUNSET = Step(Do.SUNSET)
ALONE = (Step(Do.REQUIRE, ids=(NOTION.auth,)), Step(Do.WAIT, seconds=400), PUT)
"""The server requires what nobody has: all that is created is a session."""


def session_plans() -> list[Plan]:
    """One user, two accounts, a session profile, and a server that may require the same."""
    everything = (*CONNECTED, *webhook(G, S))
    old = connect(OLD, OLDER)
    return [
        Plan("session and instance, by webhook", everything, known=(PUT,)),
        Plan("session and instance, by the bus", (*CONNECTED, *bus(G, S)), known=(PUT,), faults=1),
        Plan("session, old accounts", (*old, *webhook(OLD, OLDER)), known=ALONE),
        Plan("session, none is sent", CONNECTED, known=ALONE),
        Plan("session, put when all is connected", (*old, *webhook(OLD), PUT)),
        Plan("session, put after the sunset", (*everything, SUNSET, PUT), faults=1),
        Plan(
            "session, the sunset in between",
            (*CONNECTED, *webhook(G), SUNSET, *webhook(S)),
            known=(PUT,),
            faults=1,
        ),
    ]


def two_sessions() -> list[Case]:
    """Two at once, who may both make the session."""
    return [
        Case(
            "session, the last account twice",
            (*ALONE, *TICK, Step(Do.WAIT, seconds=100), *TICK, *CONNECTED, *webhook(G)),
            (sent(S), by_bus(S)),
            webhook(S),
        ),
        Case(
            "session, the sunset at any time",
            (PUT, Step(Do.WAIT, seconds=100), *TICK, *CONNECTED, *webhook(G)),
            (sent(S), happens(SUNSET)),
            webhook(S),
        ),
    ]
