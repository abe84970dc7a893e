"""Each role has only the permissions that it uses: without any one of them something fails."""

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from handler.dynamodb import to_item
from handler.walk_table import BACKFILL, DUE, walk_key
from tests.deployed.application import BOTH, SERVER, event, publish, someone, until
from tests.deployed.finishing import Finishing, make_due
from tests.world import TARGET

type Permission = tuple[str, str]
"""The Sid of a statement, and an action that it allows."""

FOR_REQUESTS = {
    ("Table", "dynamodb:UpdateItem"),
    ("Table", "dynamodb:Query"),
    ("Secret", "secretsmanager:GetSecretValue"),
}
FOR_DUE = {("Due", "dynamodb:Query"), ("Queue", "sqs:SendMessage")}
FOR_BACK_OFF = ("Queue", "sqs:ChangeMessageVisibility")
FOR_OUTCOMES = ("Bus", "events:PutEvents")
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
ONLY_WITH_MANY_SERVERS = ("Queue", "sqs:SendMessage")
"""The webhook needs it only for many servers, or for a connect session."""


def policy(finishing: Finishing, function: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return the names of the function's role and of its one policy, and the statements."""
    found = finishing.functions.get_function_configuration(FunctionName=function)
    role = found["Role"].rsplit("/", 1)[-1]
    (name,) = finishing.iam.list_role_policies(RoleName=role)["PolicyNames"]
    names = {"RoleName": role, "PolicyName": name}
    document: Any = finishing.iam.get_role_policy(**names)["PolicyDocument"]
    return names, (json.loads(document) if isinstance(document, str) else document)["Statement"]


def actions(statement: dict[str, Any]) -> list[str]:
    found = statement["Action"]
    return [found] if isinstance(found, str) else list(found)


def allowed(finishing: Finishing, function: str) -> set[Permission]:
    _, statements = policy(finishing, function)
    assert {one["Effect"] for one in statements} == {"Allow"}
    return {(one["Sid"], action) for one in statements for action in actions(one)}


@contextlib.contextmanager
def without(finishing: Finishing, function: str, permission: Permission) -> Iterator[None]:
    """Take this permission from the function's role for as long as the context lasts."""
    names, statements = policy(finishing, function)
    sid, action = permission
    narrowed = [
        {**one, "Action": left}
        for one in statements
        if (left := [each for each in actions(one) if (one["Sid"], each) != (sid, action)])
    ]

    def put(statements: list[dict[str, Any]]) -> None:
        document = {"Version": "2012-10-17", "Statement": statements}
        finishing.iam.put_role_policy(**names, PolicyDocument=json.dumps(document))

    put(narrowed)
    try:
        yield
    finally:
        put(statements)


def begin_anew(finishing: Finishing, function: str) -> None:
    """Have the function know nothing from before: neither in memory nor in the catalog."""
    for sk in (f"SERVER#{SERVER}", "SYNCED"):
        key = to_item({"pk": "CATALOG", "sk": sk})
        finishing.dynamodb.delete_item(TableName=finishing.stack.table_name, Key=key)
    publish(finishing, function)


def refused(finishing: Finishing, action: str, since: float) -> bool:
    """Whether the worker's log says since this Unix time that the action was not allowed."""
    return f"not authorized to perform: {action}" in finishing.worker_log(since)


def backfilled(finishing: Finishing) -> bool:
    """Whether the server is known and its back-fill is over; let the back-fill begin at once."""
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
    """Return a user whose create call has failed, and whose accounts no sweep reads any more."""
    finishing.sweep_until(lambda: backfilled(finishing), "the back-fill is over")
    user = someone("due")
    finishing.composio.add_fault(
        method="POST", path="*/instances", user_id=user, status=503, times=1
    )
    finishing.connect(user, *BOTH, created_at="2020-01-01T00:00:00Z")
    make_due(finishing, user)
    return user


def test_every_permission_is_tried_below_or_cannot_fail_here(finishing: Finishing) -> None:
    stack, elsewhere = finishing.stack, set(CANNOT_FAIL_HERE)
    webhook = allowed(finishing, stack.webhook_function_name)
    assert webhook - elsewhere == FOR_REQUESTS | {ONLY_WITH_MANY_SERVERS}
    worker = allowed(finishing, stack.worker_function_name)
    announcer = allowed(finishing, stack.announcer_function_name)
    assert (worker | announcer) - elsewhere == FOR_REQUESTS | FOR_DUE | {FOR_BACK_OFF, FOR_OUTCOMES}
    assert elsewhere <= webhook | worker | announcer


@pytest.mark.parametrize("permission", sorted(FOR_REQUESTS), ids=str)
def test_webhook_creates_nothing_without_a_permission_and_creates_once_it_is_back(
    finishing: Finishing, permission: Permission
) -> None:
    user, webhook = someone("unallowed"), finishing.stack.webhook_function_name
    bodies = [event(finishing.account(user, one)) for one in BOTH]
    with without(finishing, webhook, permission):
        begin_anew(finishing, webhook)
        answer = [finishing.send(body) for body in bodies][-1]
        assert (answer.status, answer.body.get("targets", [])) == (503, [])
        assert finishing.row(user) == {}
    assert finishing.posts(user)["posts"] == 0
    assert [finishing.send(body) for body in bodies][-1].instance == ("ready", [])
    assert finishing.posts(user)["posts"] == 1


@pytest.mark.parametrize("permission", sorted(FOR_REQUESTS), ids=str)
def test_worker_creates_nothing_without_a_permission_and_creates_once_it_is_back(
    finishing: Finishing, permission: Permission
) -> None:
    user, worker = someone("unallowed"), finishing.stack.worker_function_name
    events = finishing.complete(user)
    since = time.time()
    with without(finishing, worker, permission):
        begin_anew(finishing, worker)
        finishing.put(events)
        until(lambda: refused(finishing, permission[1], since), "it is refused")
        assert finishing.posts(user)["created"] == 0
        finishing.purge()  # what has failed would come back only after a while
    begin_anew(finishing, worker)
    make_due(finishing, user)
    finishing.put(events)
    until(lambda: finishing.all_ready([user]), "the instance is ready")


@pytest.mark.parametrize("permission", sorted(FOR_DUE), ids=str)
def test_due_instance_stays_due_without_a_permission_and_is_created_once_it_is_back(
    finishing: Finishing, permission: Permission
) -> None:
    user = someone_due(finishing)
    since = time.time()
    with without(finishing, finishing.stack.worker_function_name, permission):
        finishing.sweep()
        until(lambda: refused(finishing, permission[1], since), "it is refused")
        until(finishing.idle, "the sweep is over")
        assert finishing.statuses([user])[user] == "retrying"
    # Instead of waiting for the lease of the sweep that failed to end.
    key = to_item(walk_key(DUE))
    finishing.dynamodb.delete_item(TableName=finishing.stack.table_name, Key=key)
    finishing.sweep_until(lambda: finishing.all_ready([user]), "the instance is ready")


def test_failed_message_comes_back_soon_only_with_the_permission(finishing: Finishing) -> None:
    since, action = time.time(), FOR_BACK_OFF[1]

    def failures() -> int:
        return finishing.worker_log(since).count("message not understood")

    with without(finishing, finishing.stack.worker_function_name, FOR_BACK_OFF):
        finishing.queue("poison")
        until(lambda: refused(finishing, action, since), "it is refused")
    assert failures() == 1
    finishing.queue("more poison")
    until(lambda: failures() >= 1 + 3, "the second message comes back again and again")
    finishing.purge()


def test_outcome_is_announced_once_the_permission_is_back(finishing: Finishing) -> None:
    user, since = someone("unannounced"), time.time()
    with finishing.listening() as heard:
        with without(finishing, finishing.stack.announcer_function_name, FOR_OUTCOMES):
            assert finishing.connect(user, *BOTH).instance == ("ready", [])
            until(lambda: FOR_OUTCOMES[1] in finishing.announcer_log(since), "it is refused")
            assert heard() == []
        (outcome,) = until(heard, "the outcome is announced")
    assert outcome["detail"]["user_id"] == user
