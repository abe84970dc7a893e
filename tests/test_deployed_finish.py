"""It finishes by itself, as deployed: outages, rate limits, poison, and events never sent."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from tests.deployed import BOTH, someone, until
from tests.deployed_finish import Finishing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

USERS = 200


def creates(finishing: Finishing, user: str) -> list[dict[str, Any]]:
    return finishing.composio.ledger(method="POST", path="*/instances", user_id=user)


def unix(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def test_two_hundred_users_who_complete_during_an_outage_are_ready_after_it(
    finishing: Finishing,
) -> None:
    users = [someone("outage") for _ in range(USERS)]
    finishing.composio.add_fault(method="POST", path="*/instances", status=503, times=None)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda user: finishing.connect(user, *BOTH), users))
    assert {answer.instance[0] for answer in answers} == {"retrying"}
    due = {user: int(finishing.row(user)["due_at"]) for user in users}

    finishing.composio.clear_faults()
    up_at = time.time()
    # The schedule may have had some tried a second time meanwhile: then 30 s more.
    longest = max(0.0, max(due.values()) - up_at) + 30
    finishing.sweep_until(lambda: finishing.all_ready(users), "all are ready", longest)

    for user in users:
        posts = finishing.posts(user)
        assert (posts["created"], posts["max_in_flight"]) == (1, 1)
        # As soon as the back-off allowed, and the first call after it was enough.
        (last,) = [one for one in creates(finishing, user) if unix(one["started_at"]) > up_at]
        assert unix(last["started_at"]) >= due[user]
    until(finishing.idle, "the queue is empty")
    assert finishing.dead() == 0


def test_composio_is_not_called_again_before_its_retry_after_has_passed(
    finishing: Finishing,
) -> None:
    user, asked = someone("throttled"), 17  # longer than the first back-off can be
    finishing.composio.add_fault(
        method="POST", path="*/instances", user_id=user, body="bare", retry_after=asked
    )
    assert finishing.connect(user, *BOTH).instance == ("retrying", [])
    finishing.sweep_until(lambda: finishing.all_ready([user]), "ready", asked)
    first, second = creates(finishing, user)
    assert (first["status"], second["status"]) == (429, 201)
    assert unix(second["started_at"]) - unix(first["ended_at"]) >= asked - 1  # whole seconds


def test_poison_lands_in_the_dead_letter_queue_and_blocks_nobody(finishing: Finishing) -> None:
    url = finishing.stack.queue_url
    answer = finishing.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    policy = json.loads(answer["Attributes"]["RedrivePolicy"])
    # As deployed it takes 24 receives: half a minute of nothing new.
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
    """Take what is in the dead-letter queue out of it."""
    url, found = finishing.stack.dead_letter_queue_url, []
    while got := finishing.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
        "Messages"
    ):
        for message in got:
            found.append(message["Body"])
            finishing.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return sorted(found)


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


def test_schedule_has_the_sweep_run_each_minute_without_anybody(finishing: Finishing) -> None:
    (rule,) = finishing.events.list_rules(NamePrefix=f"{finishing.stack.stack_name}-SweepRule")[
        "Rules"
    ]
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "ENABLED")
    finishing.settle()
    before = finishing.sweeps_run()
    deadline = time.monotonic() + 90
    while finishing.sweeps_run() == before:
        assert time.monotonic() < deadline, "the schedule has no sweep run"
        time.sleep(0.5)
