"""The stack's secret: the Composio API key, and the webhook secrets that are accepted.

It is read and written here, and never shown.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from handler.credentials import parsed, usable
from provisioner.errors import Trouble
from provisioner.stack import Stack

FORM = '{"composio_api_key": "ak_…", "webhook_secrets": []}'


@dataclass(frozen=True, slots=True)
class Secret:
    """What the secret holds; other fields that it has are kept."""

    content: Mapping[str, Any] = field(repr=False)

    @property
    def has_api_key(self) -> bool:
        """Whether there is an API key that the functions use."""
        return bool(usable(self.content).api_key)

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that the functions accept, the newest first."""
        return usable(self.content).webhook_secrets

    @property
    def flaws(self) -> tuple[str, ...]:
        """Which entries the functions do not use, and why."""
        return usable(self.content).flaws

    def accepting(self, secrets: Sequence[str]) -> "Secret":
        """Return the same with these webhook secrets, each once."""
        return Secret({**self.content, "webhook_secrets": list(dict.fromkeys(secrets))})

    def with_api_key(self, api_key: str) -> "Secret":
        """Return the same with this API key."""
        return Secret({**self.content, "composio_api_key": api_key})

    def get_secret_value(self, **_: str) -> dict[str, str]:
        """Answer as Secrets Manager would that holds it."""
        return {"SecretString": json.dumps(dict(self.content))}


def read(stack: Stack) -> Secret:
    """Read the secret; raises Trouble if it is gone, or the functions cannot read its form."""
    remedy = f"fill it with {FORM} (aws secretsmanager put-secret-value)"
    try:
        answer = stack.secrets.get_secret_value(SecretId=stack.outputs["SecretId"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        raise Trouble("the secret of the stack is gone", "sam deploy, then " + remedy) from None
    try:
        return Secret(parsed(answer.get("SecretString", "")))
    except ValueError as error:
        message = f"the secret is not of the form that the functions read: {error}"
        raise Trouble(message, remedy) from None


def holding(stack: Stack, secret: Secret) -> Stack:
    """Return the stack as it would be with this secret, which is not stored."""
    others = stack.client
    return replace(stack, client=lambda name: secret if name == "secretsmanager" else others(name))


def write(stack: Stack, secret: Secret) -> None:
    """Store the secret; the functions read it within five minutes, or when they turn one away."""
    stack.secrets.put_secret_value(SecretId=stack.outputs["SecretId"], **secret.get_secret_value())
