"""A stack for the operator's commands, with the world's table and queue behind it."""

from cli.stack import Stack
from tests.world import World

OUTPUTS = {"TableName": "table", "QueueUrl": "queue", "SecretId": "secret", "ApiId": "api"}


def stack_of(world: World) -> Stack:
    """Return a stack that is found already."""
    stack = Stack("here", OUTPUTS, {"McpServerIds": "srv_demo", "ComposioBaseUrl": ""}, {})
    # Where `cached_property` keeps what it has made.
    vars(stack).update(dynamodb=world.db, sqs=world.sqs, catalog=world.catalog)
    return stack
