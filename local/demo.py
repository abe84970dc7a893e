"""Deploys to this machine and tells how its users' MCP instances come to be: `make demo`.

There is an outage, and events are lost, late and repeated. Exits with 0 only if each user has
exactly one instance; leaves nothing running and nothing behind.
"""

from local.scene import Scene
from local.standin import Wrong, command, stand_in
from local.story import tell
from local.timeline import Timeline


def play(timeline: Timeline) -> None:
    """Start everything, tell the story, check how it ended.

    Raises:
        Wrong: It did not end well; the message lists why.
    """
    with stand_in(timeline) as found, Scene.on(timeline, found) as scene:
        problems = tell(scene)
    if problems:
        raise Wrong("\n".join(["the story did not end well:", *problems]))
    timeline.say("", "one instance each, and nothing is left running", "bold")


if __name__ == "__main__":
    command(play)
