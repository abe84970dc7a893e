"""Each alarm, graph and query is about metrics and fields that the code writes."""

import json
import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest

from handler.decisions import SETTLE_SECONDS
from handler.telemetry import NAMESPACE, Metric
from tests.template.every_metric import Emitted, Figure, emit_everything, fields
from tests.template.sam_template import FUNCTIONS, GLOBAL, RESOURCES, TEMPLATE, of_type

ALARMS = of_type("AWS::CloudWatch::Alarm")
STACK = {"Ref": "AWS::StackName"}
BACKLOG = ("ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible")
OF_AWS = {
    (f"AWS/{service}", metric): dimensions
    for service, dimensions, metrics in (
        ("SQS", {"QueueName"}, ("ApproximateAgeOfOldestMessage", *BACKLOG)),
        ("Lambda", {"FunctionName"}, ("Errors", "Throttles", "Duration", "IteratorAge")),
        ("ApiGateway", {"ApiName", "Stage"}, ("Count", "4XXError", "5XXError", "Latency")),
        ("DynamoDB", {"TableName"}, ("ReadThrottleEvents", "WriteThrottleEvents")),
    )
    for metric in metrics
}
"""The dimensions of AWS's own metrics (user guides: "Monitoring …" of each service)."""

RESOURCE_OF = {
    "QueueName": "AWS::SQS::Queue",
    "FunctionName": "AWS::Serverless::Function",
    "function_name": "AWS::Serverless::Function",
    "TableName": "AWS::DynamoDB::Table",
}
"""The type of resource that a dimension names; the others name the stack or its stage."""


@pytest.fixture(scope="module")
def emitted() -> Emitted:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return emit_everything(monkeypatch)


@pytest.fixture(scope="module")
def known(emitted: Emitted) -> dict[tuple[str, str], set[str]]:
    """Return the dimensions of all metrics, by namespace and name."""
    return OF_AWS | {(one.namespace, one.name): set(one.dimensions) for one in emitted.figures}


def test_the_code_emits_every_metric_by_service(emitted: Emitted) -> None:
    assert emitted.figures == {
        *(Figure(NAMESPACE, name, ("service",)) for name in Metric),
        Figure(NAMESPACE, "ColdStart", ("function_name", "service")),
    }


def test_the_service_is_the_name_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GLOBAL["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == STACK
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "a-stack")
    telemetry = runpy.run_path("src/handler/telemetry.py")

    telemetry["count"](Metric.SWEEP_RUN)

    assert telemetry["metrics"].serialize_metric_set()["service"] == "a-stack"
    assert telemetry["logger"].service == "a-stack"


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_an_alarm_watches_a_metric_that_exists_and_names_it(
    name: str, known: dict[tuple[str, str], set[str]]
) -> None:
    alarm = ALARMS[name]
    dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
    (watched,) = re.findall("^Watches (.+?):", alarm["AlarmDescription"]["Fn::Sub"])

    assert known[alarm["Namespace"], alarm["MetricName"]] == set(dimensions)
    if alarm["Namespace"] == NAMESPACE:
        assert (dimensions, watched) == ({"service": STACK}, alarm["MetricName"])
        return
    (dimension,), ((reference,),) = dimensions, (one.values() for one in dimensions.values())
    logical_id = reference if isinstance(reference, str) else reference[0]
    assert RESOURCES[logical_id]["Type"] == RESOURCE_OF[dimension]
    if dimension == "FunctionName":
        assert f"the {logical_id.removesuffix('Function').lower()} function" in watched
    else:
        assert watched == "the dead-letter queue"


def test_every_alarm_notifies_the_topic_at_its_start_and_end() -> None:
    action = {"Fn::If": ["TellAlarms", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}

    assert all(one["AlarmActions"] == one["OKActions"] == action for one in ALARMS.values())
    assert TEMPLATE["Conditions"]["TellAlarms"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopicArn"}, ""]}]
    }


def test_alarms_watch_the_errors_and_throttles_of_every_function() -> None:
    watched = {
        (alarm["MetricName"], alarm["Dimensions"][0]["Value"]["Ref"])
        for alarm in ALARMS.values()
        if alarm["MetricName"] in {"Errors", "Throttles"}
    }

    assert watched == {(metric, name) for metric in ("Errors", "Throttles") for name in FUNCTIONS}


@pytest.mark.parametrize("name", ["Webhook", "Worker"])
def test_the_duration_alarm_is_between_the_deadline_of_the_code_and_the_timeout(name: str) -> None:
    alarm, timeout = ALARMS[f"{name}DurationAlarm"], FUNCTIONS[f"{name}Function"]["Timeout"]

    assert (timeout - SETTLE_SECONDS) * 1000 < alarm["Threshold"] < timeout * 1000
    assert alarm["ExtendedStatistic"] == "p99"


def test_a_stopped_sweep_raises_an_alarm_after_five_minutes() -> None:
    alarm = ALARMS["SweepStoppedAlarm"]

    assert alarm["Period"] * alarm["EvaluationPeriods"] == 300
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "LessThanThreshold")
    assert alarm["TreatMissingData"] == "breaching"
    others = [one for one in ALARMS.values() if one is not alarm]
    assert {one["TreatMissingData"] for one in others} == {"notBreaching"}


def dashboard() -> list[dict[str, Any]]:
    text = RESOURCES["Overview"]["Properties"]["DashboardBody"]["Fn::Sub"]
    return list(json.loads(text)["widgets"])


def graphs() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield (namespace, metric, dimensions) of each line that is drawn."""
    for widget in dashboard():
        for namespace, name, *rest in widget["properties"].get("metrics", ()):
            values = [one for one in rest if isinstance(one, str)]
            yield namespace, name, dict(zip(values[::2], values[1::2], strict=True))


def test_the_dashboard_draws_metrics_that_exist(known: dict[tuple[str, str], set[str]]) -> None:
    drawn = list(graphs())

    assert len(drawn) > 40
    for namespace, name, dimensions in drawn:
        assert known[namespace, name] == set(dimensions), name
        for dimension, value in dimensions.items():
            logical_id = value.strip("${}").removesuffix(".QueueName")
            if dimension in RESOURCE_OF:
                assert RESOURCES[logical_id]["Type"] == RESOURCE_OF[dimension]
            elif dimension == "Stage":
                assert value == RESOURCES["Api"]["Properties"]["StageName"]
            else:
                assert value == "${AWS::StackName}"
    assert RESOURCES["Api"]["Properties"]["Name"] == STACK


def test_the_dashboard_has_the_most_important_metrics() -> None:
    drawn = {name for _, name, _ in graphs()}
    answers = {name for name in Metric if name.startswith(("Composio", "Target", "Sweep"))}

    assert drawn >= answers | {"EventReceived", "TimeToReady", "OldestDueAge", "ColdStart"}
    assert {"ApproximateNumberOfMessagesVisible", "Throttles", "4XXError", "5XXError"} <= drawn
    assert "DeadLetterQueue" in json.dumps(dashboard())


def test_the_dashboard_has_a_name_per_region_and_shows_every_alarm() -> None:
    name = RESOURCES["Overview"]["Properties"]["DashboardName"]
    assert name == {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}
    (shown,) = [one["properties"]["alarms"] for one in dashboard() if one["type"] == "alarm"]
    assert shown == [f"${{{name}.Arn}}" for name in ALARMS]


def test_widgets_do_not_overlap() -> None:
    places = [
        (x, y)
        for one in dashboard()
        for x in range(one["x"], one["x"] + one["width"])
        for y in range(one["y"], one["y"] + one["height"])
    ]

    assert len(places) == len(set(places))
    assert max(x for x, _ in places) == 23


QUERIES = of_type("AWS::Logs::QueryDefinition")


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_saved_query_uses_fields_that_the_code_logs(name: str, emitted: Emitted) -> None:
    query = re.sub(r"#.*", "", QUERIES[name]["QueryString"])
    asked = set(re.findall(r"[@a-z][a-z_.]*(?=[,\s])", re.sub(r'"[^"]*"', '""', query)))
    asked -= {"fields", "filter", "sort", "limit", "in", "or", "asc", "desc", "[", "]"}

    assert len(asked) > 8
    logged = {field for line in emitted.lines for field in fields(line)}
    assert asked - {"@timestamp"} <= logged
    groups = [{"Ref": group} for group in of_type("AWS::Logs::LogGroup")]
    assert QUERIES[name]["LogGroupNames"] == groups
    assert RESOURCES[name]["Condition"] == "SaveQueries"  # the emulator does not know them


def test_the_query_for_failures_finds_every_failure(emitted: Emitted) -> None:
    query = QUERIES["EverythingThatFailedToday"]["QueryString"]
    assert '| filter level in ["ERROR", "CRITICAL"]\n' in query

    found = [one for one in emitted.lines if one["level"] == "ERROR"]

    assert {one["message"] for one in found} >= {
        "target settled",
        "message failed",
        "message not understood",
        "nothing was recorded",
        "Composio rejects the API key",
        "a part of the sweep failed",
        "outcomes not announced",
    }


def test_lines_about_a_user_have_event_and_outcome(emitted: Emitted) -> None:
    about = {one["message"] for one in emitted.lines if one.get("user_id")}

    assert {"event handled", "target settled"} <= about
