"""Work finishes by itself: after outages, rate limits, poison, and events never sent."""

import json
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from tests.deployed.application import BOTH, someone, until
from tests.deployed.finishing import Finishing

USERS = 100
ASKED_SECONDS = 17
"""Longer than the first back-off can be."""


def unix(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def creates(finishing: Finishing) -> dict[str, list[dict[str, Any]]]:
    """Return the create calls, by user."""
    found = defaultdict[str, list[dict[str, Any]]](list)
    for call in finishing.composio.ledger(method="POST", path="*/instances"):
        found[call["user_id"]].append(call)
    return found


def test_users_who_complete_during_an_outage_or_are_throttled_are_ready_when_it_is_time(
    finishing: Finishing,
) -> None:
    users, throttled = [someone("outage") for _ in range(USERS)], someone("throttled")
    finishing.composio.add_fault(method="POST", path="*/instances", status=503, times=None)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(finishing.send, finishing.complete(*users)))
    assert {answer.instance[0] for answer in answers} == {"waiting", "retrying"}
    rows = finishing.rows(users)
    assert {row["status"] for row in rows.values()} == {"retrying"}
    due = {user: int(row["due_at"]) for user, row in rows.items()}

    finishing.composio.clear_faults()
    up_at = time.time()
    finishing.composio.add_fault(
        method="POST",
        path="*/instances",
        user_id=throttled,
        status=429,
        content={"message": "Rate limit exceeded"},
        headers={"retry-after": str(ASKED_SECONDS)},
    )
    assert finishing.connect(throttled, *BOTH).instance == ("retrying", [])
    everybody = [*users, throttled]
    finishing.sweep_until(lambda: finishing.all_ready(everybody), "all are ready")

    calls = creates(finishing)
    posts = [one for one in finishing.composio.instance_posts() if one["user_id"] in everybody]
    assert len(posts) == len(everybody)
    assert {(one["created"], one["max_in_flight"]) for one in posts} == {(1, 1)}
    for user in users:
        # Not before its time, and one call was enough.
        (last,) = [one for one in calls[user] if unix(one["started_at"]) > up_at]
        assert unix(last["started_at"]) >= due[user]
    first, second = calls[throttled]
    assert (first["status"], second["status"]) == (429, 201)
    asked_until = unix(first["ended_at"]) + ASKED_SECONDS
    assert unix(second["started_at"]) >= asked_until - 1  # whole seconds
    until(finishing.idle, "the queue is empty")
    assert finishing.dead() == 0


def test_poison_lands_in_the_dead_letter_queue_and_blocks_nobody(finishing: Finishing) -> None:
    url = finishing.stack.queue_url
    answer = finishing.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    policy = json.loads(answer["Attributes"]["RedrivePolicy"])
    # The template's 24 receives take half a minute.
    finishing.sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy | {"maxReceiveCount": 3})}
    )
    poison = ["no json", "[]", '{"task": "nonsense"}', '{"detail": {"type": 7}}', "[" * 9000]
    users = [someone("beside") for _ in range(10)]
    try:
        finishing.queue(*poison)
        finishing.put(finishing.complete(*users))
        until(lambda: finishing.all_ready(users), "all are ready")
        until(lambda: finishing.dead() == len(poison), "the poison is dead")
        until(finishing.idle, "the queue is empty")
    finally:
        finishing.sqs.set_queue_attributes(
            QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)}
        )
    assert poison_of(finishing) == sorted(poison)


def poison_of(finishing: Finishing) -> list[str]:
    """Remove the messages from the dead-letter queue, and return their bodies."""
    url = finishing.stack.dead_letter_queue_url
    found = finishing.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    finishing.sqs.purge_queue(QueueUrl=url)
    return sorted(message["Body"] for message in found)


def test_accounts_whose_events_were_never_sent_are_found_within_two_sweeps(
    finishing: Finishing,
) -> None:
    user = someone("unsent")
    finishing.complete(user)
    for _ in range(2):
        finishing.sweep()
        until(finishing.idle, "the sweep has run")
    assert finishing.all_ready([user])
    assert finishing.posts(user)["created"] == 1
    assert finishing.record(user)["id"] == finishing.row(user)["record"]["id"]
