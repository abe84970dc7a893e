"""What `doctor` asks AWS."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from provisioner.doctor.facts import EventSource, Rule
from provisioner.stack import Stack

ALIAS = "live"
"""What runs is the version that this alias of a function points to."""
LOOK_BACK_SECONDS = 3600
_MOST_PAGES = 10
_ACTIVE = {"Enabled", "Enabling", "Creating", "Updating"}


def queue(stack: Stack) -> Any:  # noqa: ANN401 - boto3's own
    """Return the answer to a question for the queue's ARN."""
    url = stack.outputs["QueueUrl"]
    return stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])


def event_source(stack: Stack, function: str) -> EventSource:
    """Return what feeds a function (the output with its name)."""
    name = f"{stack.outputs[function]}:{ALIAS}"
    mappings = stack.functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    found = [
        EventSource(one["UUID"], one.get("State") in _ACTIVE, one.get("LastProcessingResult", ""))
        for one in mappings
    ]
    return next((one for one in found if one.enabled), found[0] if found else EventSource())


def rule(stack: Stack, bus: str, kind: str) -> Rule:
    """Return the rule of this bus that sends to the queue, and has a field of this name."""
    arn = queue(stack)["Attributes"]["QueueArn"]
    listed = stack.events.list_rule_names_by_target(TargetArn=arn, EventBusName=bus)
    found = Rule(bus=bus)
    for name in listed["RuleNames"]:
        one = stack.events.describe_rule(Name=name, EventBusName=bus)
        if kind in one and not found.enabled:
            found = Rule(name, bus, one["State"] != "DISABLED")
    return found


def environments(stack: Stack) -> dict[str, Mapping[str, str]]:
    """Return the environment of the version of each function that runs."""
    found = dict[str, Mapping[str, str]]()
    for name in ("webhook", "worker", "announcer"):
        function = stack.outputs[f"{name.title()}FunctionName"]
        answer = stack.functions.get_function_configuration(FunctionName=function, Qualifier=ALIAS)
        found[name] = answer.get("Environment", {}).get("Variables", {})
    return found


def recursion(stack: Stack) -> str | None:
    """Return what Lambda does when the worker feeds its own queue; None on an emulator."""
    if stack.emulated:
        return None
    function = stack.outputs["WorkerFunctionName"]
    answer = stack.functions.get_function_recursion_config(FunctionName=function)
    return answer.get("RecursiveLoop")


def rejected(stack: Stack) -> dict[str, int]:
    """Return how many deliveries were rejected in the last hour, by the reason in the log."""
    return dict(Counter(_reasons(stack)))


def _reasons(stack: Stack) -> Iterator[str]:
    request: dict[str, Any] = {
        "logGroupName": stack.outputs["WebhookLogGroupName"],
        "startTime": int((time.time() - LOOK_BACK_SECONDS) * 1000),
        "filterPattern": '"delivery not authentic"',
    }
    for _ in range(_MOST_PAGES):
        page = stack.logs.filter_log_events(**request)
        for event in page["events"]:
            with suppress(ValueError, KeyError, TypeError):
                yield str(json.loads(event["message"])["reason"])
        if "nextToken" not in page:
            return
        request["nextToken"] = page["nextToken"]
