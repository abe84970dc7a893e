"""A model of the bill: the prices of AWS, and how much of it each kind of event uses."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.limits import UNITS

AS_OF = "2026-11-23, us-east-1, arm64, without free tiers"
MEMORY_GB = 1.0
MOST_METRICS = 50
"""Custom metrics that a stack can emit, each function's cold starts included: a bound, with room
for more, which a test holds."""


@dataclass(frozen=True)
class Item:
    """A price in US dollars for one unit, and the page of aws.amazon.com that says it."""

    price: float
    page: str


ITEMS = {
    "API Gateway, REST request": Item(3.50e-6, "api-gateway/pricing"),
    "Lambda request": Item(0.20e-6, "lambda/pricing"),
    "Lambda GB-second": Item(13.3334e-6, "lambda/pricing"),
    "DynamoDB write unit": Item(0.625e-6, "dynamodb/pricing/on-demand"),
    "DynamoDB read unit": Item(0.125e-6, "dynamodb/pricing/on-demand"),
    "SQS request": Item(0.40e-6, "sqs/pricing"),
    "EventBridge custom event": Item(1.00e-6, "eventbridge/pricing"),
    "CloudWatch Logs, GB": Item(0.50, "cloudwatch/pricing"),
    "X-Ray trace": Item(5.00e-6, "cloudwatch/pricing"),
    "CloudWatch custom metric, month": Item(0.30, "cloudwatch/pricing"),
    "CloudWatch alarm, month": Item(0.10, "cloudwatch/pricing"),
    "CloudWatch dashboard, month": Item(3.00, "cloudwatch/pricing"),
    "Secrets Manager secret, month": Item(0.40, "secrets-manager/pricing"),
}

type Use = Mapping[str, float]


def invocation(seconds: float, log_bytes: int = 1500) -> dict[str, float]:
    """Return what one invocation takes; its time and what it logs are assumed."""
    return {
        "Lambda request": 1,
        "Lambda GB-second": seconds * MEMORY_GB,
        "CloudWatch Logs, GB": log_bytes / 1e9,
        "X-Ray trace": 0.05,  # the default rule samples a twentieth
    }


def together(*uses: Use) -> dict[str, float]:
    """Add up what several things take."""
    return {name: sum(use.get(name, 0) for use in uses) for name in ITEMS}


def cost(use: Use) -> float:
    """Return US dollars."""
    return sum(ITEMS[name].price * number for name, number in use.items())


def table(kind: str) -> dict[str, float]:
    """Return what an event of the kind takes of the table, as tests count it.

    A row of less than 1 KB takes a unit, the sparse index one more where the row enters it or
    leaves it. A condition that fails pays too.
    """
    reads, writes = UNITS[kind]
    return {"DynamoDB read unit": reads, "DynamoDB write unit": writes}


REQUEST: Use = {"API Gateway, REST request": 1}
NOT_COMPLETE = together(REQUEST, invocation(0.03), table("incomplete"))
COMPLETING = together(REQUEST, invocation(0.5), table("completing"))
ANNOUNCED = together(invocation(0.03), {"EventBridge custom event": 1})
ON_THE_BUS: Use = {"EventBridge custom event": 1, "SQS request": 3}
# Each minute for a quarter of an hour: the user's rows read, a hundredth of a page at Composio.
LOOKED_BACK_AT = together({"DynamoDB read unit": 15, "Lambda GB-second": 0.01 * 15})
USER = together(NOT_COMPLETE, COMPLETING, ANNOUNCED, LOOKED_BACK_AT, LOOKED_BACK_AT)

EVENTS: dict[str, Use] = {
    "event, not complete": NOT_COMPLETE,
    "event that completes: instance created": COMPLETING,
    "repeated event, after `ready`": together(REQUEST, invocation(0.03), table("repeated")),
    "event by the bus, not complete": together(ON_THE_BUS, invocation(0.03), table("incomplete")),
    "outcome announced": ANNOUNCED,
    "account looked back at by the sweep for 15 minutes": LOOKED_BACK_AT,
}

MINUTES_A_MONTH = 30 * 24 * 60


def standing(alarms: int) -> dict[str, Use]:
    """Return what a stack takes in a month in which nothing happens, by part."""
    sweeps = together(
        invocation(0.6, 2500),
        {"SQS request": 4, "DynamoDB read unit": 4, "DynamoDB write unit": 2},
    )
    # Long polling: Lambda asks with five pollers, each waiting up to 20 s.
    polls = {"SQS request": 5 * 3 * MINUTES_A_MONTH}
    return {
        "sweep each minute": {name: number * MINUTES_A_MONTH for name, number in sweeps.items()},
        "queue polled": polls,
        f"custom metrics, {MOST_METRICS} at most": {
            "CloudWatch custom metric, month": MOST_METRICS
        },
        "alarms": {"CloudWatch alarm, month": alarms},
        "dashboard": {"CloudWatch dashboard, month": 1},
        "secret": {"Secrets Manager secret, month": 1},
    }
