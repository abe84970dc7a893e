"""Follows the event bus through a rule and a queue that exist only meanwhile.

Both have the same name. The rule is created first and deleted last, and its description says until
when it is in use: what a killed process leaves behind is found, and told from what is in use.
"""

import json
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from handler.announcer import DETAIL_TYPES
from handler.queue import BATCH
from handler.telemetry import SERVICE
from provisioner import interrupt
from provisioner.stack import Stack

PREFIX = "provisioner-events-"
PATTERN = {"source": [SERVICE], "detail-type": list(DETAIL_TYPES.values())}
IN_USE_SECONDS = 300
"""After so long without a renewal, a rule is a leftover."""
RENEW_SECONDS = 60
_UNTIL = re.compile(r"provisioner events, in use until (\S+Z)")
_QUEUE_READY_SECONDS = 1
"""SQS asks to wait for so long before a new queue is used."""

type Receive = Callable[[int], list[dict[str, Any]]]


@contextmanager
def listening(stack: Stack) -> Iterator[tuple[str, Receive]]:
    """Listen to the outcomes on the bus, and delete the rule and the queue afterwards.

    Yields:
        Their name, and a function that waits for events for at most so many seconds, up to 20.
    """
    own = re.sub(r"^arn:.*:stack/|/.*$", "", stack.name)[:36]
    name = f"{PREFIX}{own}-{secrets.token_hex(4)}"
    try:
        yield name, _receiver(stack, name)
    finally:
        # An error that is under way is the one to report; the next run removes what is left.
        unimportant = (BotoCoreError, ClientError) if sys.exception() else ()
        with interrupt.cleanup(), suppress(*unimportant):
            _remove(stack, name)


def remove_leftovers(stack: Stack) -> list[str]:
    """Remove the rules and queues that nobody uses any more, and return their names."""
    pages = stack.events.get_paginator("list_rules").paginate(
        EventBusName=stack.outputs["BusName"], NamePrefix=PREFIX
    )
    now = datetime.fromtimestamp(time.time(), UTC)
    names = list[str]()
    for rule in (rule for page in pages for rule in page["Rules"]):
        until = _UNTIL.fullmatch(rule.get("Description", ""))
        if until and datetime.fromisoformat(until[1]) < now:
            _remove(stack, rule["Name"])
            names.append(rule["Name"])
    return names


def _receiver(stack: Stack, name: str) -> Receive:
    rule_arn = _renew(stack, name)
    _, partition, _, region, account, _ = rule_arn.split(":", 5)
    queue_arn = f"arn:{partition}:sqs:{region}:{account}:{name}"
    url = stack.sqs.create_queue(
        QueueName=name, Attributes={"Policy": _policy(queue_arn, rule_arn)}
    )["QueueUrl"]
    stack.events.put_targets(
        Rule=name,
        EventBusName=stack.outputs["BusName"],
        Targets=[{"Id": name, "Arn": queue_arn}],
    )
    if not stack.emulated:
        time.sleep(_QUEUE_READY_SECONDS)
    renewed_at = time.monotonic()

    def receive(seconds: int) -> list[dict[str, Any]]:
        nonlocal renewed_at
        if time.monotonic() > renewed_at + RENEW_SECONDS:
            _renew(stack, name)
            renewed_at = time.monotonic()
        return _received(stack, url, seconds)

    return receive


def _received(stack: Stack, url: str, seconds: int) -> list[dict[str, Any]]:
    answer = stack.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=seconds
    )
    messages = answer.get("Messages", ())
    entries: Any = [
        {"Id": str(number), "ReceiptHandle": one["ReceiptHandle"]}
        for number, one in enumerate(messages)
    ]
    if entries:
        stack.sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return [json.loads(message["Body"]) for message in messages]


def _renew(stack: Stack, name: str) -> str:
    """Create the rule, or say that it is still in use; return its ARN."""
    until = datetime.fromtimestamp(int(time.time()) + IN_USE_SECONDS, UTC)
    return stack.events.put_rule(
        Name=name,
        EventBusName=stack.outputs["BusName"],
        EventPattern=json.dumps(PATTERN),
        Description=f"provisioner events, in use until {until:%Y-%m-%dT%H:%M:%SZ}",
    )["RuleArn"]


def _policy(queue_arn: str, rule_arn: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _remove(stack: Stack, name: str) -> None:
    """Delete a queue and its rule, as far as they exist."""
    bus, gone = stack.outputs["BusName"], stack.events.exceptions.ResourceNotFoundException
    with suppress(gone):
        stack.events.remove_targets(Rule=name, EventBusName=bus, Ids=[name])
    with suppress(stack.sqs.exceptions.QueueDoesNotExist):
        stack.sqs.delete_queue(QueueUrl=stack.sqs.get_queue_url(QueueName=name)["QueueUrl"])
    with suppress(gone):
        stack.events.delete_rule(Name=name, EventBusName=bus)
