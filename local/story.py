"""What the demo tells: a list of chapters, and what must be true after the last one.

A chapter is a function that lets people act on the scene. Every user who acts in any of them
must end with exactly one instance.
"""

from collections.abc import Callable

from local import browser
from local.scene import Scene
from local.show import rows

READY = "MCP Instance Ready"

type Chapter = Callable[[Scene], None]

USER, BOB, CAROL, DAN = "ada", "bob", "carol", "dan"


def gmail(scene: Scene) -> None:
    """Ada connects gmail; one event is lost on the way."""
    link = scene.ask_for_link(USER, "ac_gmail")
    with scene.webhook_out_of_reach():
        scene.open(link)
    scene.allow(link)
    scene.show_table(USER)


def duplicate(scene: Scene) -> None:
    """The last event is delivered once more."""
    scene.deliver_again(USER, "ac_gmail", "ACTIVE", "a second time")
    scene.show_table(USER)


def late(scene: Scene) -> None:
    """The lost event arrives after all: it is older than what is known."""
    scene.deliver_again(USER, "ac_gmail", "INITIATED", "at last")
    scene.show_table(USER)


def slack(scene: Scene) -> None:
    """Ada connects slack, the last account that was missing."""
    scene.connect(USER, "ac_slack")
    scene.show_table(USER)


def outage(scene: Scene) -> None:
    """Bob connects both; at the last step Composio is down."""
    scene.connect(BOB, "ac_gmail")
    scene.backstage.break_composio()
    scene.connect(BOB, "ac_slack")
    scene.show_table(BOB)
    scene.backstage.mend_composio()


def unsent(scene: Scene) -> None:
    """Carol connects both, and Composio sends no event at all."""
    with scene.backstage.no_events():
        scene.connect(CAROL, "ac_gmail")
        scene.connect(CAROL, "ac_slack")
    scene.timeline.say("table", f"{CAROL} is not known", "dim")
    scene.backstage.sweep()
    scene.backstage.wait_until_ready(CAROL)
    scene.show_table(CAROL)


def recovery(scene: Scene) -> None:
    """Nobody connects anything any more: the sweep finishes what Bob began."""
    scene.show_table(BOB)
    scene.backstage.wait_until_due(BOB)
    scene.backstage.sweep()
    scene.backstage.wait_until_ready(BOB)
    scene.show_table(BOB)


def way_back(scene: Scene) -> None:
    """Dan's browser comes back from OAuth to the callback; no event is needed."""
    with scene.backstage.no_events():
        browser.connect(scene, DAN, "ac_gmail")
        browser.connect(scene, DAN, "ac_slack")
    scene.show_table(DAN)


STORY: list[Chapter] = [outage, gmail, duplicate, late, slack, way_back, unsent, recovery]


def tell(scene: Scene) -> list[str]:
    """Tell all chapters and return what is wrong at the end: nothing, if all is well."""
    for chapter in STORY:
        scene.timeline.title((chapter.__doc__ or "").rstrip("."))
        chapter(scene)
    scene.timeline.title("What must be true now")
    return [problem for user_id in scene.users for problem in check(scene, user_id)]


def check(scene: Scene, user_id: str) -> list[str]:
    """Say whether the user has exactly one instance, and return what is wrong."""
    instances = [
        each for each in scene.simulator.state()["instances"] if each["instance_id"] == user_id
    ]
    calls = scene.simulator.instance_posts(user_id)
    created = sum(each["created"] for each in calls)
    overlap = max((each["max_in_flight"] for each in calls), default=0)
    told = scene.backstage.outcomes(user_id)
    statuses = [each["status"] for each in rows(scene.stack, user_id) if "status" in each]
    found = [
        ("Composio", f"instances of {user_id}: {len(instances)}", len(instances) == 1),
        ("Composio", f"create calls that succeeded: {created}", created == 1),
        ("Composio", f"create calls at the same time: at most {overlap}", overlap == 1),
        ("table", f"the instance is {' and '.join(statuses) or 'missing'}", statuses == ["ready"]),
        ("bus", f"{user_id} was told of: {', '.join(told) or 'nothing'}", told == [READY]),
    ]
    for speaker, text, good in found:
        scene.timeline.say(speaker, text, "green" if good else "red")
    return [f"{speaker}: {text}" for speaker, text, good in found if not good]
