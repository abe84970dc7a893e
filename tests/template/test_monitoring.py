"""What watches is true: each alarm, graph and query is about what the code really writes."""

import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handler.decisions import SETTLE_SECONDS
from handler.telemetry import NAMESPACE, Metric
from tests.template.every_metric import Emitted, Figure, fields, lived
from tests.template.sam_template import FUNCTIONS, GLOBAL, RESOURCES, TEMPLATE, of_type

ALARMS = of_type("AWS::CloudWatch::Alarm")
STACK = {"Ref": "AWS::StackName"}
OF_AWS = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {"QueueName"},
    ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible"): {"QueueName"},
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): {"QueueName"},
    ("AWS/Lambda", "Errors"): {"FunctionName"},
    ("AWS/Lambda", "Throttles"): {"FunctionName"},
    ("AWS/Lambda", "Duration"): {"FunctionName"},
    ("AWS/Lambda", "IteratorAge"): {"FunctionName"},
    ("AWS/ApiGateway", "Count"): {"ApiName", "Stage"},
    ("AWS/ApiGateway", "4XXError"): {"ApiName", "Stage"},
    ("AWS/ApiGateway", "5XXError"): {"ApiName", "Stage"},
    ("AWS/ApiGateway", "Latency"): {"ApiName", "Stage"},
    ("AWS/DynamoDB", "ReadThrottleEvents"): {"TableName"},
    ("AWS/DynamoDB", "WriteThrottleEvents"): {"TableName"},
}
"""The dimensions of AWS's own metrics (user guides: "Monitoring …" of each service)."""

RESOURCE_OF = {
    "QueueName": {"AWS::SQS::Queue"},
    "FunctionName": {"AWS::Serverless::Function"},
    "function_name": {"AWS::Serverless::Function"},
    "TableName": {"AWS::DynamoDB::Table"},
}
"""What a dimension's value must be the name of; the others are the name of the stack or stage."""


@pytest.fixture(scope="module")
def emitted() -> Iterator[Emitted]:
    """Live the emitted once."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield lived(monkeypatch)


def ours(emitted: Emitted) -> dict[tuple[str, str], set[str]]:
    return {(one.namespace, one.name): set(one.dimensions) for one in emitted.figures}


def test_every_metric_is_one_that_the_code_emits_with_the_one_dimension(emitted: Emitted) -> None:
    assert emitted.figures == {
        *(Figure(NAMESPACE, name, ("service",)) for name in Metric),
        Figure(NAMESPACE, "ColdStart", ("function_name", "service")),
    }


def test_service_is_the_name_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GLOBAL["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == STACK
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "a-stack")
    telemetry = runpy.run_path("src/handler/telemetry.py")

    telemetry["count"](Metric.SWEEP_RUN)

    assert telemetry["metrics"].serialize_metric_set()["service"] == "a-stack"
    assert telemetry["logger"].service == "a-stack"


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_alarm_is_about_a_metric_that_there_is(name: str, emitted: Emitted) -> None:
    alarm = ALARMS[name]
    known = ours(emitted) | OF_AWS
    dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}

    assert known[alarm["Namespace"], alarm["MetricName"]] == set(dimensions)
    for dimension, value in dimensions.items():
        if dimension == "service":
            assert value == STACK
        else:
            (named,) = value.values()
            logical_id = named if isinstance(named, str) else named[0]
            assert RESOURCES[logical_id]["Type"] in RESOURCE_OF[dimension]


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_alarm_says_what_it_watches(name: str) -> None:
    alarm = ALARMS[name]
    watched = re.match("Watches (.+?):", alarm["AlarmDescription"]["Fn::Sub"])

    assert watched
    if alarm["Namespace"] == NAMESPACE:
        assert watched[1] == alarm["MetricName"]
    elif alarm["Namespace"] == "AWS/Lambda":
        function = alarm["Dimensions"][0]["Value"]["Ref"].removesuffix("Function").lower()
        assert f"the {function} function" in watched[1]
    else:
        assert watched[1] == "the dead-letter queue"


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_alarm_tells_the_topic_that_it_is_and_that_it_is_over(name: str) -> None:
    told = {"Fn::If": ["TellAlarms", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}

    assert ALARMS[name]["AlarmActions"] == ALARMS[name]["OKActions"] == told
    assert TEMPLATE["Conditions"]["TellAlarms"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopicArn"}, ""]}]
    }


def test_every_function_has_its_errors_and_throttles_watched() -> None:
    watched = {
        (alarm["MetricName"], alarm["Dimensions"][0]["Value"]["Ref"])
        for alarm in ALARMS.values()
        if alarm["MetricName"] in {"Errors", "Throttles"}
    }

    assert watched == {(metric, name) for metric in ("Errors", "Throttles") for name in FUNCTIONS}


@pytest.mark.parametrize("name", ["Webhook", "Worker"])
def test_duration_alarms_between_what_the_code_allows_itself_and_the_time_out(name: str) -> None:
    alarm, timeout = ALARMS[f"{name}DurationAlarm"], FUNCTIONS[f"{name}Function"]["Timeout"]

    assert (timeout - SETTLE_SECONDS) * 1000 < alarm["Threshold"] < timeout * 1000
    assert alarm["ExtendedStatistic"] == "p99"


def test_sweep_that_does_not_run_alarms_after_five_minutes() -> None:
    alarm = ALARMS["SweepStoppedAlarm"]

    assert alarm["Period"] * alarm["EvaluationPeriods"] == 300
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "LessThanThreshold")
    assert alarm["TreatMissingData"] == "breaching"
    others = [one for one in ALARMS.values() if one is not alarm]
    assert {one["TreatMissingData"] for one in others} == {"notBreaching"}


def dashboard() -> list[dict[str, Any]]:
    text = RESOURCES["Overview"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets: list[dict[str, Any]] = json.loads(text)["widgets"]
    return widgets


def graphs() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield (namespace, metric, dimensions) of each line that is drawn."""
    for widget in dashboard():
        for namespace, name, *rest in widget["properties"].get("metrics", ()):
            values = [one for one in rest if isinstance(one, str)]
            yield namespace, name, dict(zip(values[::2], values[1::2], strict=True))


def test_dashboard_draws_metrics_that_there_are(emitted: Emitted) -> None:
    known = ours(emitted) | OF_AWS
    drawn = list(graphs())

    assert len(drawn) > 40
    for namespace, name, dimensions in drawn:
        assert known[namespace, name] == set(dimensions), name
        for dimension, value in dimensions.items():
            logical_id = value.strip("${}").removesuffix(".QueueName")
            if dimension in RESOURCE_OF:
                assert RESOURCES[logical_id]["Type"] in RESOURCE_OF[dimension]
            elif dimension == "Stage":
                assert value == RESOURCES["Api"]["Properties"]["StageName"]
            else:
                assert value == "${AWS::StackName}"
    assert RESOURCES["Api"]["Properties"]["Name"] == STACK


def test_dashboard_answers_the_questions_of_a_day() -> None:
    drawn = {name for _, name, _ in graphs()}
    answers = {name for name in Metric if name.startswith(("Composio", "Target", "Sweep"))}

    assert drawn >= answers | {"EventReceived", "TimeToReady", "OldestDueAge", "ColdStart"}
    assert {"ApproximateNumberOfMessagesVisible", "Throttles", "4XXError", "5XXError"} <= drawn
    assert "DeadLetterQueue" in json.dumps(dashboard())


def test_dashboards_of_two_regions_have_two_names() -> None:
    assert RESOURCES["Overview"]["Properties"]["DashboardName"] == {
        "Fn::Sub": "${AWS::StackName}-${AWS::Region}"
    }


def test_dashboard_shows_every_alarm() -> None:
    (shown,) = [one["properties"]["alarms"] for one in dashboard() if one["type"] == "alarm"]

    assert shown == [f"${{{name}.Arn}}" for name in ALARMS]


def test_widgets_lie_side_by_side() -> None:
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
def test_saved_query_asks_for_fields_that_the_code_logs(name: str, emitted: Emitted) -> None:
    query = re.sub(r"#.*", "", QUERIES[name]["QueryString"])
    asked = set(re.findall(r"[@a-z][a-z_.]*(?=[,\s])", re.sub(r'"[^"]*"', '""', query)))
    asked -= {"fields", "filter", "sort", "limit", "in", "or", "asc", "desc", "[", "]"}

    assert len(asked) > 8
    logged = {field for line in emitted.lines for field in fields(line)}
    assert asked - {"@timestamp"} <= logged
    assert QUERIES[name]["LogGroupNames"] == [
        {"Ref": group} for group in of_type("AWS::Logs::LogGroup")
    ]


def test_query_for_failures_finds_what_failed(emitted: Emitted) -> None:
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


def test_lines_about_a_user_say_what_came_and_what_became_of_it(emitted: Emitted) -> None:
    about = {one["message"] for one in emitted.lines if one.get("user_id")}

    assert {"event handled", "target settled"} <= about


def test_what_the_emulator_does_not_know_can_be_left_out() -> None:
    for name in QUERIES:
        assert RESOURCES[name]["Condition"] == "SaveQueries"
    assert "SavedQueries" in Path("local/emulated_stack.py").read_text()
