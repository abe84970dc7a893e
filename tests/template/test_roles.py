"""Each function may do what it does, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from handler.settings import Settings
from tests.template.sam_template import FUNCTIONS, GLOBAL, RESOURCES, of_type

NO_RESOURCE_LEVEL = {
    "dynamodb:ListStreams",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
}
"""AWS offers nothing but `*` for these (service authorization reference)."""


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(role: str) -> list[tuple[str, Any]]:
    """Return (action, resource) for all that a role allows."""
    policies = RESOURCES[role]["Properties"]["Policies"]
    found = [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]
    assert {statement["Effect"] for statement in found} == {"Allow"}
    return [(action, one["Resource"]) for one in found for action in listed(one["Action"])]


TABLE, SECRET = {"Fn::GetAtt": ["Table", "Arn"]}, {"Fn::GetAtt": ["Secret", "Id"]}

QUEUE, DEAD_LETTERS = ({"Fn::GetAtt": [name, "Arn"]} for name in ("Queue", "DeadLetterQueue"))


def logs_and_traces(function: str) -> list[tuple[str, Any]]:
    logs = {"Fn::GetAtt": [f"{function}LogGroup", "Arn"]}
    return [
        *(("logs:CreateLogStream", logs), ("logs:PutLogEvents", logs)),
        *(("xray:PutTraceSegments", "*"), ("xray:PutTelemetryRecords", "*")),
    ]


def test_environment_is_exactly_the_settings() -> None:
    names = {name.upper() for name in Settings.model_fields}

    # The logger and the metrics read the first themselves; nobody reads the other, see below.
    others = {"POWERTOOLS_SERVICE_NAME", "RELEASE"}
    assert set(GLOBAL["Environment"]["Variables"]) == names | others
    assert all("Environment" not in properties for properties in FUNCTIONS.values())


def test_the_webhook_may_do_only_what_it_does() -> None:
    assert statements("WebhookRole") == [
        ("dynamodb:UpdateItem", TABLE),
        ("dynamodb:Query", TABLE),
        ("secretsmanager:GetSecretValue", SECRET),
        ("sqs:SendMessage", QUEUE),
        *logs_and_traces("Webhook"),
    ]


def test_the_worker_may_do_only_what_it_does() -> None:
    assert statements("WorkerRole") == [
        ("dynamodb:UpdateItem", TABLE),
        ("dynamodb:Query", TABLE),
        ("dynamodb:Query", {"Fn::Sub": "${Table.Arn}/index/due"}),
        ("secretsmanager:GetSecretValue", SECRET),
        ("sqs:ReceiveMessage", QUEUE),
        ("sqs:DeleteMessage", QUEUE),
        ("sqs:GetQueueAttributes", QUEUE),
        ("sqs:ChangeMessageVisibility", QUEUE),
        ("sqs:SendMessage", QUEUE),
        *logs_and_traces("Worker"),
    ]


def test_the_announcer_may_do_only_what_it_does() -> None:
    stream = {"Fn::GetAtt": ["Table", "StreamArn"]}
    *reads, (put, bus), failed = statements("AnnouncerRole")[:6]

    assert reads == [
        ("dynamodb:DescribeStream", stream),
        ("dynamodb:GetRecords", stream),
        ("dynamodb:GetShardIterator", stream),
        ("dynamodb:ListStreams", "*"),
    ]
    assert put == "events:PutEvents"
    assert bus["Fn::If"][1] == {"Fn::GetAtt": ["Bus", "Arn"]}
    assert bus["Fn::If"][2]["Fn::Sub"].endswith(":event-bus/${EventBusName}")
    assert failed == ("sqs:SendMessage", DEAD_LETTERS)
    assert statements("AnnouncerRole")[6:] == logs_and_traces("Announcer")


def test_roles_have_no_managed_policies_and_no_avoidable_wildcards() -> None:
    for role, properties in of_type("AWS::IAM::Role").items():
        assert "ManagedPolicyArns" not in properties
        wild = {action for action, resource in statements(role) if resource == "*"}
        assert wild <= NO_RESOURCE_LEVEL
        assert all("*" not in action for action, _ in statements(role))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_is_traced_and_logged_and_has_a_role_of_its_own(name: str) -> None:
    function = GLOBAL | FUNCTIONS[name]

    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == [{"Ref": "LambdaArchitecture"}]
    assert function["Tracing"] == "Active"
    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    assert function["LoggingConfig"]["ApplicationLogLevel"] == {"Ref": "LogLevel"}
    group = function["LoggingConfig"]["LogGroup"]["Ref"]
    assert RESOURCES[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert function["Role"] == {"Fn::GetAtt": [name.removesuffix("Function") + "Role", "Arn"]}
    module, handler = function["Handler"].rsplit(".", 1)
    assert handler in (Path("src") / module.replace(".", "/")).with_suffix(".py").read_text()
