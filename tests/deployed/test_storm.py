"""A thousand events in the queue: all are handled, and each user's rows are right."""

import json
import time

from tests.deployed.application import BOTH, GMAIL, someone, until
from tests.deployed.finishing import Finishing

EVENTS = 1000


def test_a_thousand_queued_events_are_all_handled_and_each_user_is_right(
    finishing: Finishing, figures: list[str]
) -> None:
    complete = [someone("many") for _ in range(400)]
    waiting = [someone("half") for _ in range(100)]
    half = [{"user_id": user, "auth_config_id": GMAIL} for user in waiting]
    with finishing.worker_paused():
        events = finishing.complete(*complete)
        finishing.composio.add_accounts(half)
        events += finishing.events_of(waiting)
        events += events[: EVENTS - len(events)]  # some of them twice
        assert len(events) == EVENTS
        finishing.put(events)
        until(lambda: finishing.count(finishing.stack.queue_url) >= EVENTS, "all are queued")
        began = time.monotonic()
    until(finishing.idle, "all are handled")
    seconds = time.monotonic() - began

    statuses = finishing.statuses([*complete, *waiting])
    assert {statuses[user] for user in complete} == {"ready"}
    assert {statuses[user] for user in waiting} == {""}
    posts = {one["user_id"]: one for one in finishing.composio.instance_posts()}
    assert {(one["created"], one["max_in_flight"]) for one in posts.values()} == {(1, 1)}
    assert posts.keys() == set(complete)
    accounts = finishing.scan()
    known = [json.loads(accounts[f"USER#{user}", "ACCOUNTS"]) for user in (*complete, *waiting)]
    held = [sum(name.startswith("account#") for name in row) for row in known]
    assert held == [len(BOTH)] * len(complete) + [1] * len(waiting)
    assert finishing.dead() == 0

    figures.append(f"queue: {EVENTS / seconds:.0f} events a second")
