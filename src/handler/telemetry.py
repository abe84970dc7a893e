"""The one logger and the one set of metrics, and the name of every metric.

Metrics are lines in the log (embedded metric format): no call, no permission.
"""

import hashlib
import logging
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
    INSTANCE_READY = "InstanceReady"
    INSTANCE_WAITING = "InstanceWaiting"
    INSTANCE_RETRYING = "InstanceRetrying"
    INSTANCE_FAILED = "InstanceFailed"
    OUTCOME_ANNOUNCED = "OutcomeAnnounced"
    SWEEP_RUN = "SweepRun"
    SWEEP_FAILED = "SweepFailed"
    CATALOG_UNAVAILABLE = "CatalogUnavailable"
    COMPOSIO_KEY_REJECTED = "ComposioKeyRejected"
    COMPOSIO_DEPRECATED = "ComposioDeprecated"


# The runtime gives the root logger our level. Theirs would then log URLs with user ids in them,
# and botocore every response, the secret's too.
for library in ("boto3", "botocore", "httpcore", "httpx", "urllib3"):
    logging.getLogger(library).setLevel(logging.WARNING)

logger = Logger(service=SERVICE)
metrics = Metrics(namespace=NAMESPACE, service=SERVICE)


def hashed(user_id: str) -> str:
    """Return what stands for the user in logs that must not name anybody."""
    return hashlib.sha256(user_id.encode(errors="replace")).hexdigest()[:16]


def count(metric: Metric) -> None:
    """Add one to the metric."""
    metrics.add_metric(name=metric, unit=MetricUnit.Count, value=1)
