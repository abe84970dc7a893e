"""`make demo`: deploys to this machine, and shows how four users get their MCP endpoints.

Meanwhile there is an outage, and events are lost, late and repeated; then MCP servers are taken
away. Exits with 0 only if each user has exactly one instance and one session in the end; leaves
nothing running and nothing behind.
"""

from local.demo.actions import Actions
from local.demo.steps import run_steps
from local.environment import CommandError, environment, run
from local.timeline import Timeline


def demo(timeline: Timeline) -> None:
    """Start everything, run the steps, and check the result."""
    with environment(timeline) as running:
        if running.simulator is None:
            raise CommandError("the demo needs the simulator")
        problems = run_steps(Actions(timeline, running.stack, running.simulator))
    if problems:
        raise CommandError("\n".join(["the demo did not end as it must:", *problems]))
    timeline.line("", "one instance and one session each, and nothing is left running", "bold")


if __name__ == "__main__":
    run(demo)
