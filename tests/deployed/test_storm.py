"""A thousand events in the queue, as deployed: all are worked off, and each user is right."""

import io
import json
import time
import zipfile
from collections.abc import Callable

from tests.deployed.application import BOTH, GMAIL, someone, until
from tests.deployed.finishing import Finishing

EVENTS, CONCURRENCY, BATCH = 1000, 5, 5


def took(done: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < 150, "they are not worked off"
        time.sleep(0.1)
    return time.monotonic() - began


def ceiling(finishing: Finishing) -> float:
    """Return the seconds in which the emulator hands as many messages to an empty function."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        # It logs, as the worker does: a call that logs nothing waits for what does not come.
        archive.writestr("empty.py", "def handler(event, context):\n    print(len(event))\n")
    stack, name = finishing.stack, f"empty-{time.time_ns()}"
    url = finishing.sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "180"})
    answer = finishing.sqs.get_queue_attributes(
        QueueUrl=url["QueueUrl"], AttributeNames=["QueueArn"]
    )
    worker = finishing.functions.get_function_configuration(FunctionName=stack.worker_function_name)
    finishing.functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=worker["Role"],
        Handler="empty.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    for first in range(0, EVENTS, 10):
        numbers = range(first, first + 10)
        finishing.sqs.send_message_batch(
            QueueUrl=url["QueueUrl"],
            Entries=[{"Id": str(number), "MessageBody": "{}"} for number in numbers],
        )
    source = finishing.functions.create_event_source_mapping(
        FunctionName=name,
        EventSourceArn=answer["Attributes"]["QueueArn"],
        BatchSize=BATCH,
        ScalingConfig={"MaximumConcurrency": CONCURRENCY},
    )
    seconds = took(lambda: finishing.count(url["QueueUrl"]) == 0)
    finishing.functions.delete_event_source_mapping(UUID=source["UUID"])
    finishing.functions.delete_function(FunctionName=name)
    finishing.sqs.delete_queue(QueueUrl=url["QueueUrl"])
    return seconds


def test_a_thousand_queued_events_are_all_worked_off_and_each_user_is_right(
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
    seconds = took(finishing.idle)

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

    most = EVENTS / ceiling(finishing)
    figures.append(
        f"queue: {EVENTS / seconds:.0f} events a second, "
        f"of {most:.0f} that the emulator hands to an empty function"
    )
