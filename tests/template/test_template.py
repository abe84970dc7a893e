"""The template grants and sets exactly what the handler needs."""

import json
import tomllib
from pathlib import Path

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
from tests.template.sam_template import FUNCTIONS, GLOBAL, RESOURCES, TEMPLATE

QUEUE, DEAD_LETTERS = ({"Fn::GetAtt": [name, "Arn"]} for name in ("Queue", "DeadLetterQueue"))


def test_timeouts_are_within_the_lease_and_the_limit_of_api_gateway() -> None:
    assert all(one["Timeout"] + 5 <= LEASE_SECONDS for one in FUNCTIONS.values())
    assert FUNCTIONS["WebhookFunction"]["Timeout"] <= 29


def test_the_table_is_retained_encrypted_restorable_and_streamed() -> None:
    properties = RESOURCES["Table"]["Properties"]

    assert RESOURCES["Table"]["UpdateReplacePolicy"] == "Retain"
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_a_failed_first_deploy_leaves_no_resource() -> None:
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


def test_the_api_is_regional_throttled_and_logs_no_queries() -> None:
    """X-Ray's segment of a stage has path and query, and so the tokens of connect sessions."""
    api = RESOURCES["Api"]["Properties"]

    assert api["EndpointConfiguration"] == {"Type": "REGIONAL"}
    assert all(method["ThrottlingRateLimit"] for method in api["MethodSettings"])
    assert api["TracingEnabled"] is False
    assert "AccessLogSetting" not in api
    assert not any("DataTraceEnabled" in one for one in api["MethodSettings"])


def test_the_form_requires_a_return_url() -> None:
    rule = TEMPLATE["Rules"]["FormNeedsReturnUrl"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "ConnectStart"}, "form"]}
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ReturnUrl"}, ""]}]}


def test_the_initial_secret_never_changes() -> None:
    """CloudFormation would overwrite the secret of every stack with a changed SecretString."""
    assert RESOURCES["Secret"]["Properties"] == {
        "Description": "Composio API key, and the webhook secrets that are accepted.",
        "SecretString": '{"composio_api_key": "", "webhook_secrets": []}',
    }


def test_only_the_worker_may_invoke_itself() -> None:
    """By default, Lambda stops a function that feeds its own queue after 16 messages."""
    loops = {name: one.get("RecursiveLoop") for name, one in FUNCTIONS.items()}

    assert loops == dict.fromkeys(FUNCTIONS) | {"WorkerFunction": "Allow"}


def test_defaults_of_the_parameters_are_usable_settings() -> None:
    parameters = TEMPLATE["Parameters"]
    names = {"COMPOSIO_BASE_URL": "ComposioBaseUrl", "MCP_SERVER_IDS": "McpServerIds"}
    given = {variable: parameters[name]["Default"] for variable, name in names.items()}
    others = dict.fromkeys(("TABLE_NAME", "SECRET_ID", "QUEUE_URL", "BUS_NAME"), "x")
    settings = Settings.from_environment(others | given)

    # No user is provisioned before the operator has enrolled an MCP server.
    assert enrolled_servers(settings.mcp_server_ids) == frozenset()
    assert all(parameter["Description"] for parameter in parameters.values())
    assert all(output["Description"] for output in TEMPLATE["Outputs"].values())


def test_no_log_level_drops_the_metrics() -> None:
    """Lambda takes a line without a level, as metrics are, for INFO and drops it above that.

    docs.aws.amazon.com/lambda, "Log-level filtering".
    """
    assert {"TRACE", "DEBUG", "INFO"} >= set(TEMPLATE["Parameters"]["LogLevel"]["AllowedValues"])


def test_samconfig_has_what_a_first_deploy_needs() -> None:
    deploy = tomllib.loads(Path("samconfig.toml").read_text())["default"]["deploy"]["parameters"]

    assert deploy["capabilities"] == "CAPABILITY_IAM"
    assert deploy["resolve_s3"] is True


def test_the_queue_waits_six_timeouts_of_the_worker_and_keeps_what_fails() -> None:
    queue, worker = RESOURCES["Queue"]["Properties"], FUNCTIONS["WorkerFunction"]
    source = worker["Events"]["Queue"]["Properties"]

    assert queue["VisibilityTimeout"] >= 6 * worker["Timeout"]
    assert queue["ReceiveMessageWaitTimeSeconds"] == 20
    assert queue["SqsManagedSseEnabled"] is True
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == DEAD_LETTERS
    assert RESOURCES["DeadLetterQueue"]["Properties"]["SqsManagedSseEnabled"] is True
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "WorkerConcurrency"}}


def test_of_rules_only_ours_may_send_to_the_queue() -> None:
    (statement,) = RESOURCES["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Condition"]["ArnEquals"]["aws:SourceArn"] == [
        {"Fn::GetAtt": ["AccountRule", "Arn"]},
        {"Fn::GetAtt": ["SweepRule", "Arn"]},
    ]


def test_the_rule_matches_account_events_but_not_our_own() -> None:
    pattern = RESOURCES["AccountRule"]["Properties"]["EventPattern"]

    assert pattern["detail"] == {"type": [{"prefix": ACCOUNT_EVENTS}]}
    assert pattern["source"] == [{"anything-but": [SERVICE]}]


def test_the_sweep_runs_each_minute() -> None:
    rule = RESOURCES["SweepRule"]["Properties"]

    assert rule["ScheduleExpression"] == "rate(1 minute)"
    assert [json.loads(target["Input"]) for target in rule["Targets"]] == [{"task": "sweep"}]


def test_the_announcer_is_invoked_only_for_settled_outcomes() -> None:
    source = FUNCTIONS["AnnouncerFunction"]["Events"]["Outcomes"]["Properties"]
    (pattern,) = [json.loads(one["Pattern"]) for one in source["FilterCriteria"]["Filters"]]

    image = pattern["dynamodb"]["NewImage"]
    assert image["sk"] == {"S": [{"prefix": prefix} for prefix in TARGETS]}
    # By name: a status that only another version knows does not invoke it.
    assert image["status"] == {"S": list(OUTCOMES)}
    assert source["BatchSize"] <= BATCH
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_record_that_fails_is_isolated_and_sent_to_the_dead_letter_queue() -> None:
    source = FUNCTIONS["AnnouncerFunction"]["Events"]["Outcomes"]["Properties"]

    assert source["BisectBatchOnFunctionError"] is True
    destination = source["DestinationConfig"]["OnFailure"]
    assert destination == {"Type": "SQS", "Destination": DEAD_LETTERS}
    # The stream keeps a record for 24 hours, and drops it without a notice.
    assert 20 * 3600 <= source["MaximumRecordAgeInSeconds"] < 24 * 3600
    assert "MaximumRetryAttempts" not in source


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_an_alarm_rolls_back_a_version_of_its_function(name: str) -> None:
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


def test_only_all_at_once_deploys_without_codedeploy() -> None:
    rollouts = TEMPLATE["Mappings"]["Rollouts"]

    assert list(rollouts) == TEMPLATE["Parameters"]["Rollout"]["AllowedValues"]
    assert [name for name, one in rollouts.items() if not one["CodeDeploy"]] == ["AllAtOnce"]
