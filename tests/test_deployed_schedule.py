"""The schedule, as deployed: the sweep runs each minute, and nobody has to send it."""

import pytest

from tests.deployed import until
from tests.deployed_finish import Finishing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_schedule_has_the_sweep_run_each_minute_without_anybody(crowd: Finishing) -> None:
    """Where nobody sends a sweep, and some time has passed since the deploy."""
    assert crowd.schedule()["ScheduleExpression"] == "rate(1 minute)"
    until(lambda: crowd.sweeps_run(since=0), "the schedule has a sweep run", patience=60)
