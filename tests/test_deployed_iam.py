"""The role is as wide as it has to be: without any one of its actions the application fails."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deployed import BOTH, SERVER, Deployed, event, someone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

NEEDED = {
    "dynamodb:UpdateItem": 503,
    "dynamodb:Query": 503,
    "secretsmanager:GetSecretValue": 503,
    # The fact is stored by then, so it is not refused: the user's next event, or the same one
    # again, carries on from there.
    "dynamodb:PutItem": 200,
}
"""What the webhook answers where the action is not allowed."""

CANNOT_FAIL_HERE = {
    "logs:CreateLogStream": "the emulator writes the function's log itself, not in its name",
    "logs:PutLogEvents": "the emulator writes the function's log itself, not in its name",
    "xray:PutTraceSegments": "the emulator collects no traces",
    "xray:PutTelemetryRecords": "the emulator collects no traces",
}


def role(deployed: Deployed) -> str:
    name = deployed.stack.webhook_function_name
    found = deployed.functions.get_function_configuration(FunctionName=name)
    return found["Role"].rsplit("/", 1)[-1]


def policy(deployed: Deployed) -> tuple[str, dict[str, Any]]:
    """Return the one policy of the function's role, by name."""
    (name,) = deployed.iam.list_role_policies(RoleName=role(deployed))["PolicyNames"]
    found = deployed.iam.get_role_policy(RoleName=role(deployed), PolicyName=name)
    document = found["PolicyDocument"]
    return name, json.loads(document) if isinstance(document, str) else dict(document)


def actions(statement: dict[str, Any]) -> list[str]:
    found = statement["Action"]
    return [found] if isinstance(found, str) else list(found)


@contextlib.contextmanager
def without(deployed: Deployed, action: str) -> Iterator[None]:
    """Take just this action away, for as long as the context lasts."""
    name, document = policy(deployed)
    narrowed = [
        {**statement, "Action": left}
        for statement in document["Statement"]
        if (left := [one for one in actions(statement) if one != action])
    ]
    put(deployed, name, {**document, "Statement": narrowed})
    try:
        yield
    finally:
        put(deployed, name, document)


def put(deployed: Deployed, name: str, document: dict[str, Any]) -> None:
    deployed.iam.put_role_policy(
        RoleName=role(deployed), PolicyName=name, PolicyDocument=json.dumps(document)
    )


def begin_anew(deployed: Deployed) -> None:
    """Let nothing be known from before: neither in memory nor in the catalog."""
    for sk in (f"SERVER#{SERVER}", "SYNCED"):
        key = {"pk": {"S": "CATALOG"}, "sk": {"S": sk}}
        deployed.dynamodb.delete_item(TableName=deployed.stack.table_name, Key=key)
    deployed.renew()


def test_every_action_of_the_role_is_tried_below_or_named_as_one_that_cannot_fail_here(
    aside: Deployed,
) -> None:
    _, document = policy(aside)
    allowed = [action for one in document["Statement"] for action in actions(one)]
    assert sorted(allowed) == sorted([*NEEDED, *CANNOT_FAIL_HERE])
    assert {one["Effect"] for one in document["Statement"]} == {"Allow"}


@pytest.mark.parametrize("action", NEEDED)
def test_without_one_action_the_instance_is_not_created_and_with_it_again_it_is(
    aside: Deployed, action: str
) -> None:
    user = someone("unallowed")
    bodies = [event(aside.account(user, one)) for one in BOTH]
    with without(aside, action):
        begin_anew(aside)
        answer = [aside.send(body) for body in bodies][-1]
        assert (answer.status, answer.body.get("servers", [])) == (NEEDED[action], [])
        assert aside.row(user) == {}
    assert aside.posts(user)["posts"] == 0
    if action == "dynamodb:PutItem":
        begin_anew(aside)  # the catalog is not asked for twice within a minute
    assert [aside.send(body) for body in bodies][-1].instance == ("ready", [])
    assert aside.row(user)["record"]["id"] == aside.record(user)["id"]
    assert aside.posts(user)["posts"] == 1
