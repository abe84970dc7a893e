"""The stack's secret: the Composio API key, and the webhook secrets that are accepted.

It is read and written here, and never shown.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from handler.credentials import SecretValue
from provisioner.errors import Trouble
from provisioner.stack import Stack

FORM = '{"composio_api_key": "…", "webhook_secrets": ["…"]}'


@dataclass(frozen=True, slots=True)
class Secret:
    """What the secret holds; other fields that it has are kept."""

    content: Mapping[str, Any] = field(repr=False)

    @property
    def has_api_key(self) -> bool:
        """Whether there is an API key at all."""
        return bool(self.content.get("composio_api_key", "").strip())

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The accepted secrets, the newest first."""
        return tuple(self.content.get("webhook_secrets", ()))

    def accepting(self, secrets: Sequence[str]) -> "Secret":
        """Return the same with these webhook secrets, each once."""
        return Secret({**self.content, "webhook_secrets": list(dict.fromkeys(secrets))})


def read(stack: Stack) -> Secret:
    """Read the secret.

    Raises:
        Trouble: It is not of the form that the functions read, or there is none.
    """
    remedy = f"fill it (README, Deploy, step 1) with {FORM}"
    try:
        answer = stack.secrets.get_secret_value(SecretId=stack.outputs["SecretId"])
        text = answer.get("SecretString", "")
        SecretValue.model_validate_json(text)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        raise Trouble("the secret of the stack is gone", "sam deploy, then " + remedy) from None
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        wrong = "; ".join(f"{_field(one['loc'])}: {one['msg']}" for one in found)
        said = f"the secret is not of the form that the functions read: {wrong}"
        raise Trouble(said, remedy) from None
    return Secret(json.loads(text))


def write(stack: Stack, secret: Secret) -> None:
    """Store the secret; the functions read it within five minutes, or when they turn one away."""
    stack.secrets.put_secret_value(
        SecretId=stack.outputs["SecretId"], SecretString=json.dumps(dict(secret.content))
    )


def _field(place: Sequence[int | str]) -> str:
    return ".".join(map(str, place)) or "all of it"
