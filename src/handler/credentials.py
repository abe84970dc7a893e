"""The Composio API key and the webhook secrets, which are read again as they age.

They are stored as JSON in one secret of Secrets Manager: `composio_api_key` is a text, and
`webhook_secrets` a list of texts. What was read is used for five minutes. When Composio rejects the
key, or a signature is not valid, it is read again at once, but at most every ten seconds: a
rotation needs no deploy, and a flood of forged deliveries does not cause a flood of calls.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from handler.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

MAX_AGE_SECONDS = 300
LEAST_AGE_SECONDS = 10
LEAST_LENGTH = 16
"""The characters that a webhook secret needs: whoever guesses it can forge deliveries."""

_PLACEHOLDER = (
    r"(?i)…|\.\.\.|^<.*>$|^\{.*\}$|^\[.*\]$|^\$\w+$|^\$\{.*\}$|(.)\1{7}"
    r"|^(whsec_|ak_)?(your|my|the)[-_]|placeholder|change[-_]?me|replace|example"
)


class SecretUnusable(Exception):
    """Secrets Manager cannot be read, or the secret is not of the form above."""


@dataclass(frozen=True, repr=False)
class SecretValue:
    """What is usable of the secret.

    `api_key` is "" where there is none. `flaws` says of each entry that is not used why not, and
    holds no part of it.
    """

    api_key: str
    webhook_secrets: tuple[str, ...]
    flaws: tuple[str, ...]


def flaw(entry: object, least_length: int = 0) -> str:
    """Say why an entry cannot be a key or a secret, or "" where it can be.

    White space at its ends does not count.
    """
    if not isinstance(entry, str):
        return "is not a text"
    text = entry.strip()
    if re.search(_PLACEHOLDER, text):
        return "is a placeholder"
    if not re.fullmatch(r"[!-~]*", text):
        return "is not printable ASCII without spaces"
    if len(text) < least_length:
        return f"is shorter than {least_length} characters"
    return ""


def parsed(text: str) -> dict[str, Any]:
    """Return the secret as it is stored.

    Raises:
        ValueError: It is not of the form above; the message quotes nothing of it.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 -- of the operator's text
    if not isinstance(content.get("webhook_secrets", []), list):
        raise ValueError("webhook_secrets is not a list")  # noqa: TRY004
    return content


def usable(content: Mapping[str, Any]) -> SecretValue:
    """Return what is usable of a parsed secret; one flawed entry does not affect the others."""
    key, listed = content.get("composio_api_key", ""), content.get("webhook_secrets", [])
    entries = {"composio_api_key": flaw(key)} | {
        f"webhook_secrets[{at}]": flaw(entry, LEAST_LENGTH) for at, entry in enumerate(listed)
    }
    return SecretValue(
        "" if flaw(key) else key.strip(),
        tuple(entry.strip() for entry in listed if not flaw(entry, LEAST_LENGTH)),
        tuple(f"{name} {why}" for name, why in entries.items() if why),
    )


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
        """Return the Composio API key, or "" where the secret holds none that is usable.

        Raises:
            SecretUnusable: The secret cannot be read.
        """
        return self._current().api_key

    def webhook_keys(self) -> tuple[bytes, ...]:
        """Return the accepted webhook secrets as the bytes that sign.

        Raises:
            SecretUnusable: The secret cannot be read.
        """
        return tuple(secret.encode() for secret in self._current().webhook_secrets)

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
        except (BotoCoreError, ClientError):
            # The one in hand is better than none; without one, the caller hears of it.
            logger.exception("Secrets Manager cannot be read")
            return
        try:
            value = usable(parsed(answer.get("SecretString", "")))
        except ValueError as error:
            logger.error("the secret is not {composio_api_key, webhook_secrets}", reason=str(error))
            return
        if value.flaws and value != self._secret:
            logger.error("a part of the secret is not used", flaws=value.flaws)
        self._secret = value
        self._fresh_until = self._fetched_at + MAX_AGE_SECONDS
