"""A stack for the operator's commands, with the world's table, queue and Composio behind it."""

from provisioner.stack import Stack
from tests.world import World

OUTPUTS = {
    "TableName": "table", "QueueUrl": "queue", "DeadLetterQueueUrl": "dead", "SecretId": "secret",
    "ApiId": "api", "SweepRuleName": "rule", "WebhookUrl": "https://api.invalid/webhooks/composio",
}  # fmt: skip


def stack_of(world: World) -> Stack:
    """Return a stack that is found already."""
    stack = Stack("here", OUTPUTS, {"McpServerIds": "srv_demo", "ComposioBaseUrl": ""}, {})
    # Where `cached_property` keeps what it has made.
    vars(stack).update(
        dynamodb=world.db, sqs=world.sqs, secrets=world.secrets, services=world.services
    )
    return stack
