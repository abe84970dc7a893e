"""What the demo tells: a list of chapters, and what must be true after the last one.

A chapter is a function that lets people act on the scene. Every user who acts in any of them
must end with exactly one instance.
"""

from collections.abc import Callable

from local import browser
from local.scene import Scene
from local.show import rows

type Chapter = Callable[[Scene], None]

USER = "ada"
DAN = "dan"


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


def way_back(scene: Scene) -> None:
    """Dan's browser comes back from OAuth to the callback; no event is needed."""
    scene.simulator.switch(webhooks=False)
    browser.connect(scene, DAN, "ac_gmail")
    browser.connect(scene, DAN, "ac_slack")
    scene.simulator.switch(webhooks=True)
    scene.show_table(DAN)


STORY: list[Chapter] = [gmail, duplicate, late, slack, way_back]


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
    statuses = [each["status"] for each in rows(scene.stack, user_id) if "status" in each]
    found = [
        ("Composio", f"instances of {user_id}: {len(instances)}", len(instances) == 1),
        ("Composio", f"create calls that succeeded: {created}", created == 1),
        ("Composio", f"create calls at the same time: at most {overlap}", overlap == 1),
        ("table", f"the instance is {' and '.join(statuses) or 'missing'}", statuses == ["ready"]),
    ]
    for speaker, text, good in found:
        scene.timeline.say(speaker, text, "green" if good else "red")
    return [f"{speaker}: {text}" for speaker, text, good in found if not good]
