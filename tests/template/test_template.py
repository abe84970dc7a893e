"""The template is code: what it grants, sets and promises is what the handler needs."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from handler.announcer import BATCH
from handler.connect_rules import ConnectSession
from handler.connect_table import session_to_row
from handler.decisions import LEASE_SECONDS
from handler.events import ACCOUNT_EVENTS
from handler.settings import Settings, enrolled_servers
from handler.target_table import TARGETS
from handler.targets import OUTCOMES
from handler.telemetry import SERVICE
from tests.template.sam_template import FUNCTIONS, GLOBAL, RESOURCES, TEMPLATE, of_type

NO_RESOURCE_LEVEL = {
    "dynamodb:ListStreams",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
}
"""AWS offers nothing but `*` for these (service authorization reference)."""


def statements(role: str) -> list[tuple[str, Any]]:
    """Return (action, resource) for all that a role allows."""
    found = []
    for policy in RESOURCES[role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            actions = statement["Action"]
            listed = actions if isinstance(actions, list) else [actions]
            found += [(action, statement["Resource"]) for action in listed]
    return found


TABLE, SECRET = {"Fn::GetAtt": ["Table", "Arn"]}, {"Fn::GetAtt": ["Secret", "Id"]}


def logs_and_traces(function: str) -> list[tuple[str, Any]]:
    logs = {"Fn::GetAtt": [f"{function}LogGroup", "Arn"]}
    return [
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
        ("xray:PutTraceSegments", "*"),
        ("xray:PutTelemetryRecords", "*"),
    ]


def test_environment_is_exactly_the_settings() -> None:
    names = {name.upper() for name in Settings.model_fields}

    # The logger and the metrics read the first themselves; nobody reads the other, see below.
    others = {"POWERTOOLS_SERVICE_NAME", "RELEASE"}
    assert set(GLOBAL["Environment"]["Variables"]) == names | others
    assert all("Environment" not in properties for properties in FUNCTIONS.values())


def test_webhook_may_do_exactly_what_it_does() -> None:
    assert statements("WebhookRole") == [
        ("dynamodb:UpdateItem", TABLE),
        ("dynamodb:Query", TABLE),
        ("secretsmanager:GetSecretValue", SECRET),
        ("sqs:SendMessage", {"Fn::GetAtt": ["Queue", "Arn"]}),
        *logs_and_traces("Webhook"),
    ]


def test_worker_may_do_exactly_what_it_does() -> None:
    queue = {"Fn::GetAtt": ["Queue", "Arn"]}

    assert statements("WorkerRole") == [
        ("dynamodb:UpdateItem", TABLE),
        ("dynamodb:Query", TABLE),
        ("dynamodb:Query", {"Fn::Sub": "${Table.Arn}/index/due"}),
        ("secretsmanager:GetSecretValue", SECRET),
        ("sqs:ReceiveMessage", queue),
        ("sqs:DeleteMessage", queue),
        ("sqs:GetQueueAttributes", queue),
        ("sqs:ChangeMessageVisibility", queue),
        ("sqs:SendMessage", queue),
        *logs_and_traces("Worker"),
    ]


def test_announcer_may_do_exactly_what_it_does() -> None:
    stream = {"Fn::GetAtt": ["Table", "StreamArn"]}
    *listed, (put, bus), failed = statements("AnnouncerRole")[:6]

    assert listed == [
        ("dynamodb:DescribeStream", stream),
        ("dynamodb:GetRecords", stream),
        ("dynamodb:GetShardIterator", stream),
        ("dynamodb:ListStreams", "*"),
    ]
    assert put == "events:PutEvents"
    assert bus["Fn::If"][1] == {"Fn::GetAtt": ["Bus", "Arn"]}
    assert bus["Fn::If"][2]["Fn::Sub"].endswith(":event-bus/${EventBusName}")
    assert failed == ("sqs:SendMessage", {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]})
    assert statements("AnnouncerRole")[6:] == logs_and_traces("Announcer")


def test_roles_have_no_managed_policies_and_wildcards_only_where_aws_offers_nothing_else() -> None:
    for role, properties in of_type("AWS::IAM::Role").items():
        assert "ManagedPolicyArns" not in properties
        wild = {action for action, resource in statements(role) if resource == "*"}
        assert wild <= NO_RESOURCE_LEVEL
        assert all("*" not in action for action, _ in statements(role))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_is_traced_logged_bounded_and_its_own_role(name: str) -> None:
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


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_lease_outlives_every_function(name: str) -> None:
    assert FUNCTIONS[name]["Timeout"] + 5 <= LEASE_SECONDS


def test_webhook_answers_within_the_api_gateway_limit() -> None:
    assert FUNCTIONS["WebhookFunction"]["Timeout"] <= 29


def test_table_is_kept_encrypted_restorable_and_streamed() -> None:
    table = RESOURCES["Table"]

    assert table["UpdateReplacePolicy"] == "Retain"
    properties = table["Properties"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_failed_first_deploy_leaves_nothing_behind() -> None:
    kept = {
        name: one["DeletionPolicy"] for name, one in RESOURCES.items() if "Deletion" in str(one)
    }

    assert kept == {"Table": "RetainExceptOnCreate"}


def test_only_connect_sessions_are_deleted_by_time() -> None:
    setting = RESOURCES["Table"]["Properties"]["TimeToLiveSpecification"]
    session = ConnectSession(
        "sid", "user_1", ("srv",), "https://api.example", expires_at=1, ends_at=2
    )

    assert setting == {"AttributeName": "ttl", "Enabled": True}
    assert session_to_row(session)["ttl"] == 2
    code = Path("src/handler").glob("*table.py")
    assert [path.stem for path in code if '"ttl"' in path.read_text()] == ["connect_table"]


def test_nobody_keeps_the_queries_of_requests() -> None:
    """X-Ray's segment of a stage has path and query, and so the tokens of connect sessions."""
    api = RESOURCES["Api"]["Properties"]

    assert api["TracingEnabled"] is False
    assert "AccessLogSetting" not in api
    assert not any("DataTraceEnabled" in one for one in api["MethodSettings"])


def test_form_is_deployed_only_with_the_application_that_sends_it() -> None:
    rule = TEMPLATE["Rules"]["FormNeedsReturnUrl"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "ConnectStart"}, "form"]}
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ReturnUrl"}, ""]}]}


def test_api_is_regional_and_throttled() -> None:
    api = RESOURCES["Api"]["Properties"]

    assert api["EndpointConfiguration"] == {"Type": "REGIONAL"}
    assert all(method["ThrottlingRateLimit"] for method in api["MethodSettings"])


def test_secret_in_the_template_stays_as_it_is_to_the_letter() -> None:
    """CloudFormation writes a SecretString that has changed over the values of every stack."""
    assert RESOURCES["Secret"]["Properties"] == {
        "Description": "Composio API key, and the webhook secrets that are accepted.",
        "SecretString": '{"composio_api_key": "", "webhook_secrets": []}',
    }


def test_only_the_worker_may_invoke_itself_again_and_again() -> None:
    """Lambda stops a function that feeds its own queue after 16 messages, unless it is told."""
    loops = {
        name: one["RecursiveLoop"] for name, one in FUNCTIONS.items() if "RecursiveLoop" in one
    }

    assert loops == {"WorkerFunction": "Allow"}


def test_defaults_of_the_parameters_are_usable_settings() -> None:
    parameters = TEMPLATE["Parameters"]
    settings = Settings.from_environment(
        {
            "TABLE_NAME": "t",
            "SECRET_ID": "s",
            "QUEUE_URL": "q",
            "BUS_NAME": "b",
            "COMPOSIO_BASE_URL": parameters["ComposioBaseUrl"]["Default"],
            "MCP_SERVER_IDS": parameters["McpServerIds"]["Default"],
        }
    )

    # Nobody is provisioned before somebody has chosen for whom.
    assert enrolled_servers(settings.mcp_server_ids) == frozenset()
    assert all(parameter["Description"] for parameter in parameters.values())
    assert all(output["Description"] for output in TEMPLATE["Outputs"].values())


def test_no_level_of_the_log_loses_the_metrics() -> None:
    """Lambda takes a line without a level, as metrics are, for INFO and drops it above that.

    docs.aws.amazon.com/lambda, "Log-level filtering".
    """
    levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]

    for level in TEMPLATE["Parameters"]["LogLevel"]["AllowedValues"]:
        assert levels.index(level) <= levels.index("INFO")


def test_samconfig_holds_what_a_first_deploy_needs() -> None:
    deploy = tomllib.loads(Path("samconfig.toml").read_text())["default"]["deploy"]["parameters"]

    assert deploy["capabilities"] == "CAPABILITY_IAM"
    assert deploy["resolve_s3"] is True


def test_queue_gives_the_worker_six_times_its_time_and_keeps_what_fails() -> None:
    queue, worker = RESOURCES["Queue"]["Properties"], FUNCTIONS["WorkerFunction"]
    source = worker["Events"]["Queue"]["Properties"]

    assert queue["VisibilityTimeout"] >= 6 * worker["Timeout"]
    assert queue["ReceiveMessageWaitTimeSeconds"] == 20
    assert queue["SqsManagedSseEnabled"] is True
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {
        "Fn::GetAtt": ["DeadLetterQueue", "Arn"]
    }
    assert RESOURCES["DeadLetterQueue"]["Properties"]["SqsManagedSseEnabled"] is True
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "WorkerConcurrency"}}


def test_only_our_rules_may_send_to_the_queue() -> None:
    (statement,) = RESOURCES["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Condition"]["ArnEquals"]["aws:SourceArn"] == [
        {"Fn::GetAtt": ["AccountRule", "Arn"]},
        {"Fn::GetAtt": ["SweepRule", "Arn"]},
    ]


def test_rule_takes_account_events_but_none_of_our_own() -> None:
    pattern = RESOURCES["AccountRule"]["Properties"]["EventPattern"]

    assert pattern["detail"] == {"type": [{"prefix": ACCOUNT_EVENTS}]}
    assert pattern["source"] == [{"anything-but": [SERVICE]}]


def test_sweep_runs_each_minute() -> None:
    rule = RESOURCES["SweepRule"]["Properties"]

    assert rule["ScheduleExpression"] == "rate(1 minute)"
    assert [json.loads(target["Input"]) for target in rule["Targets"]] == [{"task": "sweep"}]


def test_announcer_hears_of_each_settled_outcome_and_of_nothing_else() -> None:
    source = FUNCTIONS["AnnouncerFunction"]["Events"]["Outcomes"]["Properties"]
    (pattern,) = [json.loads(one["Pattern"]) for one in source["FilterCriteria"]["Filters"]]

    image = pattern["dynamodb"]["NewImage"]
    assert image["sk"] == {"S": [{"prefix": prefix} for prefix in TARGETS]}
    # Listed one by one: a status that another version has written is not handed over.
    assert image["status"] == {"S": list(OUTCOMES)}
    assert source["BatchSize"] <= BATCH
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_record_that_cannot_be_announced_holds_up_as_few_as_possible_and_is_reported() -> None:
    source = FUNCTIONS["AnnouncerFunction"]["Events"]["Outcomes"]["Properties"]

    assert source["BisectBatchOnFunctionError"] is True
    destination = source["DestinationConfig"]["OnFailure"]
    assert destination == {
        "Type": "SQS",
        "Destination": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]},
    }
    # The stream keeps a record for 24 hours, and says nothing when it forgets one.
    assert 20 * 3600 <= source["MaximumRecordAgeInSeconds"] < 24 * 3600
    assert "MaximumRetryAttempts" not in source


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_runs_a_version_that_an_alarm_takes_back(name: str) -> None:
    function = GLOBAL | FUNCTIONS[name]
    preference = function["DeploymentPreference"]

    assert function["AutoPublishAlias"] == "live"
    assert function["AutoPublishAliasAllProperties"] is True
    # The description makes CloudFormation publish; the environment makes it another version, as
    # Lambda answers with the last one where neither code nor configuration has changed.
    assert function["VersionDescription"] == {"Ref": "Release"}
    assert function["Environment"]["Variables"]["RELEASE"] == {"Ref": "Release"}
    assert preference["Enabled"] == {
        "Fn::FindInMap": ["Rollouts", {"Ref": "Rollout"}, "CodeDeploy"]
    }
    assert preference["Type"] == {"Ref": "Rollout"}
    for alarm in preference["Alarms"]:
        watched = RESOURCES[alarm["Ref"]]["Properties"]["Dimensions"][0]["Value"]
        assert watched == {"Ref": name}


def test_only_all_at_once_does_without_codedeploy() -> None:
    rollouts = TEMPLATE["Mappings"]["Rollouts"]

    assert list(rollouts) == TEMPLATE["Parameters"]["Rollout"]["AllowedValues"]
    assert [name for name, one in rollouts.items() if not one["CodeDeploy"]] == ["AllAtOnce"]
