"""The steps of the demo, and what must be true after the last one.

A step is a function; its docstring is its title. Every user who acts in any of them must end with
exactly one instance and one session.
"""

from local.demo.actions import Actions
from local.simulator.project import DEMO_SERVER

KINDS = INSTANCE, SESSION = "instance", "session"
READY = ["MCP Instance Ready", "MCP Session Ready"]
PROFILE = "work"
ALICE, BOB, CAROL, DAN = "alice", "bob", "carol", "dan"


def outage(actions: Actions) -> None:
    """Bob connects both accounts; at the last step Composio has an outage."""
    actions.connect(BOB, "ac_gmail")
    with actions.composio_down():
        actions.connect(BOB, "ac_slack")
        actions.show_table(BOB)


def lost(actions: Actions) -> None:
    """Alice connects gmail, and its event is lost."""
    with actions.webhook_unreachable():
        actions.connect(ALICE, "ac_gmail")


def last(actions: Actions) -> None:
    """Alice connects slack, the last account; gmail's event is still missing."""
    actions.connect(ALICE, "ac_slack")
    actions.show_table(ALICE)


def late(actions: Actions) -> None:
    """The lost event arrives after all."""
    actions.deliver_again(ALICE, "ac_gmail", "at last")
    actions.show_table(ALICE)


def repeated(actions: Actions) -> None:
    """An event that has arrived is delivered again."""
    actions.deliver_again(ALICE, "ac_slack", "a second time")


def callback(actions: Actions) -> None:
    """Dan's browser comes back from OAuth to the callback; no event is needed."""
    with actions.event_not_offered():
        actions.connect_and_return(DAN, "ac_gmail")
        actions.connect_and_return(DAN, "ac_slack")
    actions.show_table(DAN)


def sweep(actions: Actions) -> None:
    """Carol connects both accounts in a project that is not offered the event."""
    with actions.event_not_offered():
        actions.connect(CAROL, "ac_gmail")
        actions.connect(CAROL, "ac_slack")
    actions.show_table(CAROL)
    actions.sweep(CAROL)


def recovery(actions: Actions) -> None:
    """Nobody connects anything any more: the sweep finishes what Bob began."""
    actions.show_table(BOB)
    actions.wait_until_due(BOB)
    actions.sweep(BOB)


def agent(actions: Actions) -> None:
    """Alice's agent lists and calls her tools, at the URL that the outcome event names."""
    actions.use_tools(ALICE, INSTANCE)


def move(actions: Actions) -> None:
    """The operator puts a session profile: everybody gets a session too, and connects nothing."""
    actions.operate("profile", "import", DEMO_SERVER, "--name", PROFILE)
    actions.advance_backfill(PROFILE)
    actions.operate("backfill", PROFILE)
    actions.show_table(ALICE)


def sunset(actions: Actions) -> None:
    """Composio takes its MCP servers away, and Alice's agent goes on with her session."""
    actions.take_servers_away(ALICE)
    actions.use_tools(ALICE, SESSION)


STEPS = [outage, lost, last, late, repeated, callback, sweep, recovery, agent, move, sunset]


def run_steps(actions: Actions) -> list[str]:
    """Run all steps and return what is wrong at the end: nothing, if all is well."""
    for step in STEPS:
        actions.timeline.title((step.__doc__ or "").rstrip("."))
        step(actions)
    actions.timeline.title("What must be true now")
    return [problem for user_id in actions.users for problem in check(actions, user_id)]


def check(actions: Actions, user_id: str) -> list[str]:
    """Show whether the user has exactly one instance and session, and return what is wrong."""
    simulator = actions.simulator
    state = simulator.state()
    instances = sum(each["instance_id"] == user_id for each in state["instances"])
    sessions = sum(each["user_id"] == user_id for each in state["sessions"])
    calls = simulator.instance_posts(user_id) + simulator.session_posts(user_id)
    created = [each["created"] for each in calls]
    overlap = max((each["max_in_flight"] for each in calls), default=0)
    outcomes = actions.observer.outcomes(user_id, len(READY))
    rows = actions.observer.targets(user_id)
    targets = [f"{each['sk'].split('#')[0].lower()} {each['status']}" for each in rows]
    checks = [
        ("Composio", f"instances of {user_id}: {instances}", instances == 1),
        ("Composio", f"sessions of {user_id}: {sessions}", sessions == 1),
        ("Composio", f"create calls that succeeded: {sum(created)}", created == [1, 1]),
        ("Composio", f"create calls at the same time: at most {overlap}", overlap == 1),
        ("table", ", ".join(targets) or "nothing", targets == [f"{one} ready" for one in KINDS]),
        ("bus", f"{user_id}: {', '.join(outcomes) or 'no event'}", outcomes == READY),
    ]
    for source, text, good in checks:
        actions.timeline.line(source, text, "green" if good else "red")
    return [f"{source}: {text}" for source, text, good in checks if not good]
