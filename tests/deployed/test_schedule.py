"""The schedule, as deployed: the sweep runs each minute, and nobody has to send it."""

from tests.deployed.application import until
from tests.deployed.finishing import Finishing


def test_schedule_has_the_sweep_run_each_minute_without_anybody(busy: Finishing) -> None:
    """Where nobody sends a sweep, and some time has passed since the deploy."""
    assert busy.schedule()["ScheduleExpression"] == "rate(1 minute)"
    until(lambda: busy.sweeps_run(since=0), "the schedule has a sweep run", patience=60)
