"""The role is as wide as it has to be: without any one of its actions the application fails."""

import pytest

from tests.deployed.application import BOTH, Deployed, event, someone
from tests.deployed.role import actions, begin_anew, policy, without

NEEDED = ("dynamodb:UpdateItem", "dynamodb:Query", "secretsmanager:GetSecretValue")

CANNOT_FAIL_HERE = {
    "logs:CreateLogStream": "the emulator writes the function's log itself, not in its name",
    "logs:PutLogEvents": "the emulator writes the function's log itself, not in its name",
    "sqs:SendMessage": "one event needs it only where many servers or a connect session are",
    "xray:PutTraceSegments": "the emulator collects no traces",
    "xray:PutTelemetryRecords": "the emulator collects no traces",
}


def test_every_action_of_the_role_is_tried_below_or_named_as_one_that_cannot_fail_here(
    second: Deployed,
) -> None:
    document = policy(second, second.stack.webhook_function_name)
    allowed = [action for one in document["Statement"] for action in actions(one)]
    assert sorted(allowed) == sorted([*NEEDED, *CANNOT_FAIL_HERE])
    assert {one["Effect"] for one in document["Statement"]} == {"Allow"}


@pytest.mark.parametrize("action", NEEDED)
def test_without_one_action_the_instance_is_not_created_and_with_it_again_it_is(
    second: Deployed, action: str
) -> None:
    user = someone("unallowed")
    bodies = [event(second.account(user, one)) for one in BOTH]
    with without(second, second.stack.webhook_function_name, action):
        begin_anew(second, second.stack.webhook_function_name)
        answer = [second.send(body) for body in bodies][-1]
        assert (answer.status, answer.body.get("targets", [])) == (503, [])
        assert second.row(user) == {}
    assert second.posts(user)["posts"] == 0
    assert [second.send(body) for body in bodies][-1].instance == ("ready", [])
    assert second.row(user)["record"]["id"] == second.record(user)["id"]
    assert second.posts(user)["posts"] == 1
