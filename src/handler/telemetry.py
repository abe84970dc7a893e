"""The one logger and the one set of metrics, and the name of every metric.

Metrics are lines in the log (embedded metric format): no call, no permission. Their dimension
`service` is the stack's name (`POWERTOOLS_SERVICE_NAME`), so that two stacks in one account are
told apart.
"""

import hashlib
import logging
import os
from enum import StrEnum

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

SERVICE = "mcp-provisioner"
NAMESPACE = "McpProvisioner"


class Metric(StrEnum):
    """Every metric that is emitted, with the one dimension `service`."""

    REQUEST = "Request"
    EVENT_RECEIVED = "EventReceived"
    EVENT_IGNORED = "EventIgnored"
    EVENT_MALFORMED = "EventMalformed"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    NOT_RECORDED = "NotRecorded"
    ACCOUNT_RECORDED = "AccountRecorded"
    ACCOUNT_STALE = "AccountStale"
    TARGET_READY = "TargetReady"
    TARGET_WAITING = "TargetWaiting"
    TARGET_RETRYING = "TargetRetrying"
    TARGET_FAILED = "TargetFailed"
    SESSIONS_LEFT_OVER = "SessionsLeftOver"
    TIME_TO_READY = "TimeToReady"
    TARGETS_PENDING = "TargetsPending"
    OLDEST_DUE_AGE = "OldestDueAge"
    OUTCOME_ANNOUNCED = "OutcomeAnnounced"
    OUTCOME_SKIPPED = "OutcomeSkipped"
    CONNECT_SESSION = "ConnectSession"
    CONNECT_STARTED = "ConnectStarted"
    CONNECT_LINK = "ConnectLink"
    CONNECT_FINISHED = "ConnectFinished"
    CONNECT_REFUSED = "ConnectRefused"
    CONNECT_VERIFICATION_REFUSED = "ConnectVerificationRefused"
    SWEEP_RUN = "SweepRun"
    SWEEP_FAILED = "SweepFailed"
    PAGES_REPEAT = "PagesRepeat"
    ACCOUNT_SET_ASIDE = "AccountSetAside"
    ACCOUNT_UNNAMED = "AccountUnnamed"
    CATALOG_UNAVAILABLE = "CatalogUnavailable"
    ITEM_UNREADABLE = "ItemUnreadable"
    COMPOSIO_2XX = "Composio2xx"
    COMPOSIO_3XX = "Composio3xx"
    COMPOSIO_4XX = "Composio4xx"
    COMPOSIO_429 = "Composio429"
    COMPOSIO_5XX = "Composio5xx"
    COMPOSIO_NO_ANSWER = "ComposioNoAnswer"
    COMPOSIO_KEY_REJECTED = "ComposioKeyRejected"
    COMPOSIO_DEPRECATED = "ComposioDeprecated"


# The runtime gives the root logger our level. Theirs would then log URLs with user ids in them,
# and botocore every response, the secret's too.
for library in ("boto3", "botocore", "httpcore", "httpx", "urllib3"):
    logging.getLogger(library).setLevel(logging.WARNING)

_stack = os.environ.get("POWERTOOLS_SERVICE_NAME", SERVICE)
# Lambda takes the level of a line only where its timestamp is as RFC 3339 has it.
logger = Logger(service=_stack, use_rfc3339=True)
metrics = Metrics(namespace=NAMESPACE, service=_stack)


def hashed(user_id: str) -> str:
    """Return what stands for the user in logs that must not name anybody."""
    return hashlib.sha256(user_id.encode(errors="replace")).hexdigest()[:16]


def count(metric: Metric, number: int = 1) -> None:
    """Add so many to the metric."""
    metrics.add_metric(name=metric, unit=MetricUnit.Count, value=number)


def took(metric: Metric, seconds: float) -> None:
    """Record a duration; clocks that differ never make it negative."""
    metrics.add_metric(name=metric, unit=MetricUnit.Seconds, value=max(seconds, 0))


def answered(status: int) -> None:
    """Count an answer of Composio by its HTTP status."""
    kind = str(status) if status == 429 else f"{min(max(status // 100, 2), 5)}XX"
    count(Metric[f"COMPOSIO_{kind}"])
