"""Says whether a delivery is from Composio, and nothing else.

The scheme is Composio's (docs.composio.dev, "Verifying webhooks"; the SDKs' `verify_webhook`):
`webhook-signature` holds entries `v1,<base64>` separated by spaces, each an HMAC-SHA256 of
`<webhook-id>.<webhook-timestamp>.<raw body>`. It looks like Standard Webhooks, but the key is
the whole secret as UTF-8: nothing is stripped from it or decoded.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence

TOLERANCE_SECONDS = 300


class NotAuthentic(Exception):
    """The delivery is not provably Composio's; `reason` is for the log, never for the caller."""

    def __init__(self, reason: str, *, wrong_key: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wrong_key = wrong_key
        """Everything but the signature was right: the secret may have been rotated."""


def verify(
    headers: Mapping[str, Sequence[str]], body: bytes, *, keys: Iterable[bytes], now: float
) -> str:
    """Return the `webhook-id` of a delivery that Composio signed within the last five minutes.

    Args:
        headers: Every value of every header, names in lower case.
        body: The bytes as they came over the wire.
        keys: The accepted secrets as bytes; several while a secret is rolled.
        now: Unix time in seconds. Clocks may differ by 300 s either way.

    Raises:
        NotAuthentic: A header is missing, empty, repeated or malformed, the timestamp is too
            far away, or no entry was made with one of the keys.
    """
    webhook_id = _only(headers, "webhook-id")
    timestamp = _only(headers, "webhook-timestamp")
    entries = _only(headers, "webhook-signature").split(" ")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise NotAuthentic("timestamp is not Unix seconds")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise NotAuthentic("timestamp is too far away")
    given = [entry.encode() for entry in entries if entry.startswith("v1,")]
    if not given:
        raise NotAuthentic("no v1 signature")
    wanted = [sign(webhook_id, timestamp, body, key=key).encode() for key in keys if key]
    # Every pair is compared, so that the time taken does not tell which one matched.
    matches = [hmac.compare_digest(one, other) for one in wanted for other in given]
    if not any(matches):
        raise NotAuthentic("no signature was made with an accepted secret", wrong_key=True)
    return webhook_id


def sign(webhook_id: str, timestamp: str, body: bytes, *, key: bytes) -> str:
    """Return the one entry of `webhook-signature` that belongs to this delivery and key."""
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _only(headers: Mapping[str, Sequence[str]], name: str) -> str:
    values = headers.get(name, ())
    if len(values) != 1 or not values[0]:
        raise NotAuthentic(f"{name} is missing, empty or repeated")
    try:
        values[0].encode()
    except UnicodeEncodeError:
        raise NotAuthentic(f"{name} is not text") from None
    return values[0]
