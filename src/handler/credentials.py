"""The Composio API key and the webhook secrets, with an age.

They live in one secret of Secrets Manager: `{"composio_api_key": "…", "webhook_secrets": ["…"]}`.
A value is kept for five minutes; a rejected one is fetched again at once, but not more often
than every ten seconds, so that neither a rotation needs a deploy nor a flood of forged
deliveries costs a flood of calls.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, ValidationError

from handler.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

MAX_AGE_SECONDS = 300
LEAST_AGE_SECONDS = 10


class SecretUnusable(Exception):
    """Secrets Manager cannot be read, or the secret is not of the form above."""


def _header_value(secret: SecretStr) -> SecretStr:
    # What is no header value would otherwise be quoted by the HTTP library's exception.
    text = secret.get_secret_value().strip()
    if not (text.isascii() and text.isprintable()):
        raise ValueError("not printable ASCII")
    return SecretStr(text)


class SecretValue(BaseModel):
    """What the secret has to hold."""

    model_config = ConfigDict(hide_input_in_errors=True, frozen=True)

    composio_api_key: Annotated[SecretStr, AfterValidator(_header_value)] = SecretStr("")
    webhook_secrets: tuple[SecretStr, ...] = ()


@dataclass(eq=False, repr=False)
class Credentials:
    """Reads the secret `secret_id` through a boto3 client; `clock` is seconds."""

    client: "SecretsManagerClient"
    secret_id: str
    clock: Callable[[], float]
    _secret: SecretValue | None = field(default=None, init=False)
    _fetched_at: float = field(default=float("-inf"), init=False)
    _fresh_until: float = field(default=float("-inf"), init=False)

    def api_key(self) -> str:
        """Return the Composio API key.

        Raises:
            SecretUnusable: There is none to be had.
        """
        return self._current().composio_api_key.get_secret_value()

    def webhook_keys(self) -> tuple[bytes, ...]:
        """Return the accepted webhook secrets as the bytes that sign.

        Raises:
            SecretUnusable: There is none to be had.
        """
        return tuple(
            secret.get_secret_value().encode() for secret in self._current().webhook_secrets
        )

    def refresh(self) -> bool:
        """Fetch the secret again, and say whether it has changed.

        False without a call when the last fetch was less than ten seconds ago.
        """
        if self.clock() - self._fetched_at < LEAST_AGE_SECONDS:
            return False
        before = self._secret
        self._fetch()
        return self._secret != before

    def _current(self) -> SecretValue:
        if self._secret is None or self.clock() >= self._fresh_until:
            self._fetch()
        if self._secret is None:
            raise SecretUnusable("the secret cannot be read")
        return self._secret

    def _fetch(self) -> None:
        self._fetched_at = self.clock()
        self._fresh_until = self._fetched_at + LEAST_AGE_SECONDS
        try:
            answer = self.client.get_secret_value(SecretId=self.secret_id)
            self._secret = SecretValue.model_validate_json(answer.get("SecretString", ""))
            self._fresh_until = self._fetched_at + MAX_AGE_SECONDS
        except (BotoCoreError, ClientError):
            # The one in hand is better than none; without one, the caller hears of it.
            logger.exception("Secrets Manager cannot be read")
        except ValidationError:
            logger.error("the secret is not {composio_api_key, webhook_secrets}")
