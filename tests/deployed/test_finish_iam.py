"""The roles of worker and announcer are as wide as they have to be, and no wider."""

import contextlib
import time

import pytest

from handler.dynamodb import to_item
from handler.walk_table import BACKFILL, walk_key
from tests.deployed.application import BOTH, SERVER, someone, until
from tests.deployed.finishing import Finishing, make_due
from tests.deployed.role import actions, begin_anew, policy, without
from tests.world import TARGET

FOR_EVENTS = {
    ("Table", "dynamodb:UpdateItem"),
    ("Table", "dynamodb:Query"),
    ("Secret", "secretsmanager:GetSecretValue"),
}
FOR_DUE = {
    ("Due", "dynamodb:Query"),
    ("Queue", "sqs:SendMessage"),
}
FOR_BACK_OFF = {("Queue", "sqs:ChangeMessageVisibility")}
FOR_OUTCOMES = {("Bus", "events:PutEvents")}

_POLLED = "the emulator reads for the event source itself, not in the function's name"
_LOGGED = "the emulator writes the function's log itself, not in its name"
_TRACED = "the emulator collects no traces"
CANNOT_FAIL_HERE = {
    ("Queue", "sqs:ReceiveMessage"): _POLLED,
    ("Queue", "sqs:DeleteMessage"): _POLLED,
    ("Queue", "sqs:GetQueueAttributes"): _POLLED,
    ("Stream", "dynamodb:DescribeStream"): _POLLED,
    ("Stream", "dynamodb:GetRecords"): _POLLED,
    ("Stream", "dynamodb:GetShardIterator"): _POLLED,
    ("Streams", "dynamodb:ListStreams"): _POLLED,
    ("DeadLetterQueue", "sqs:SendMessage"): _POLLED,
    ("Logs", "logs:CreateLogStream"): _LOGGED,
    ("Logs", "logs:PutLogEvents"): _LOGGED,
    ("Traces", "xray:PutTraceSegments"): _TRACED,
    ("Traces", "xray:PutTelemetryRecords"): _TRACED,
}


def allowed(finishing: Finishing, function: str) -> set[tuple[str, str]]:
    found = policy(finishing, function)["Statement"]
    return {(one["Sid"], action) for one in found for action in actions(one)}


def refused(finishing: Finishing, action: str, since: float) -> bool:
    """Whether the worker's log tells since this Unix time that this was not allowed."""
    return f"not authorized to perform: {action}" in finishing.worker_log(since)


def backfilled(finishing: Finishing) -> bool:
    """Whether the server is known, and nobody is to be back-filled for it; now, not in a minute."""
    with contextlib.suppress(finishing.dynamodb.exceptions.ConditionalCheckFailedException):
        finishing.dynamodb.update_item(
            TableName=finishing.stack.table_name,
            Key=to_item(walk_key(BACKFILL + TARGET.sort_key)),
            UpdateExpression="SET lease_until = :past",
            ConditionExpression="attribute_exists(#cursor) AND attribute_not_exists(#token)",
            ExpressionAttributeNames={"#cursor": "cursor", "#token": "token"},
            ExpressionAttributeValues={":past": {"N": "1"}},
        )
    rows = finishing.scan()
    walk = rows.get(("SWEEP", BACKFILL + TARGET.sort_key), {"cursor": ""})
    return ("CATALOG", f"SERVER#{SERVER}") in rows and "cursor" not in walk and finishing.idle()


def someone_due(finishing: Finishing) -> str:
    """Let a user's create call have failed, whose accounts are too old for the sweep to read."""
    finishing.sweep_until(lambda: backfilled(finishing), "the back-fill is done")
    user = someone("due")
    finishing.composio.add_fault(
        method="POST", path="*/instances", user_id=user, status=503, times=1
    )
    finishing.connect(user, *BOTH, created_at="2020-01-01T00:00:00Z")
    make_due(finishing, user)
    return user


def test_every_action_is_tried_below_or_named_as_one_that_cannot_fail_here(
    finishing: Finishing,
) -> None:
    stack = finishing.stack
    found = allowed(finishing, stack.worker_function_name)
    found |= allowed(finishing, stack.announcer_function_name)
    tried = FOR_EVENTS | FOR_DUE | FOR_BACK_OFF | FOR_OUTCOMES
    assert found == tried | CANNOT_FAIL_HERE.keys()


@pytest.mark.parametrize(("sid", "action"), sorted(FOR_EVENTS))
def test_without_one_action_an_event_on_the_bus_makes_no_instance_and_with_it_again_it_does(
    finishing: Finishing, sid: str, action: str
) -> None:
    user, worker = someone("unallowed"), finishing.stack.worker_function_name
    events = finishing.complete(user)
    since = time.time()
    with without(finishing, worker, action, sid):
        begin_anew(finishing, worker)
        finishing.put(events)
        until(lambda: refused(finishing, action, since), "it is refused")
        assert finishing.posts(user)["created"] == 0
        finishing.forget()  # what failed comes back only after a while
    begin_anew(finishing, worker)
    make_due(finishing, user)
    finishing.put(events)
    until(lambda: finishing.all_ready([user]), "ready")


@pytest.mark.parametrize(("sid", "action"), sorted(FOR_DUE))
def test_without_one_action_what_is_due_stays_so_and_with_it_again_it_is_finished(
    finishing: Finishing, sid: str, action: str
) -> None:
    user = someone_due(finishing)
    since = time.time()
    with without(finishing, finishing.stack.worker_function_name, action, sid):
        finishing.sweep()
        until(lambda: refused(finishing, action, since), "it is refused")
        until(finishing.idle, "the sweep has run")
        assert finishing.statuses([user])[user] == "retrying"
    # What was begun in vain is taken up again when its lease ends.
    finishing.sweep_until(lambda: finishing.all_ready([user]), "ready", 240)


@pytest.mark.parametrize(("sid", "action"), sorted(FOR_BACK_OFF))
def test_without_it_a_message_that_failed_does_not_come_back_when_it_should(
    finishing: Finishing, sid: str, action: str
) -> None:
    since = time.time()
    with without(finishing, finishing.stack.worker_function_name, action, sid):
        finishing.queue("poison")
        until(lambda: refused(finishing, action, since), "it is refused")
    assert finishing.worker_log(since).count("message not understood") == 1
    finishing.queue("more poison")
    understood = "message not understood"
    until(
        lambda: finishing.worker_log(since).count(understood) >= 1 + 3,
        "the other one comes back again and again",
    )
    finishing.forget()


@pytest.mark.parametrize(("sid", "action"), sorted(FOR_OUTCOMES))
def test_without_it_no_outcome_is_told_and_with_it_again_none_was_lost(
    finishing: Finishing, sid: str, action: str
) -> None:
    user, since = someone("untold"), time.time()
    with finishing.listening() as heard:
        with without(finishing, finishing.stack.announcer_function_name, action, sid):
            assert finishing.connect(user, *BOTH).instance == ("ready", [])
            until(lambda: "events:PutEvents" in finishing.announcer_log(since), "it is refused")
            assert heard() == []
        (told,) = until(heard, "it is told after all")
    assert told["detail"]["user_id"] == user
