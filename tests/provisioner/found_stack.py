"""A stack for the operator's commands, with the world's table, queue and Composio behind it."""

from typing import Any

from provisioner.locate import NEEDED
from provisioner.stack import Stack
from tests.world import World

OUTPUTS = {name: name for name in NEEDED} | {
    "TableName": "table", "QueueUrl": "queue", "DeadLetterQueueUrl": "dead", "SecretId": "secret",
    "WebhookUrl": "https://api.invalid/webhooks/composio",
}  # fmt: skip


def stack_of(world: World, **others: Any) -> Stack:
    """Return a stack that is found already; `others` are clients by the name of their service."""
    clients = {"dynamodb": world.db, "sqs": world.sqs, "secretsmanager": world.secrets} | others
    parameters = {"McpServerIds": "srv_demo", "ComposioBaseUrl": ""}
    stack = Stack("here", OUTPUTS, parameters, clients.__getitem__)
    # Where `cached_property` keeps what it has made.
    vars(stack)["services"] = world.services
    return stack
