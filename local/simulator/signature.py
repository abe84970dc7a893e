"""How Composio signs a webhook. Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable


def sign(
    secrets: Iterable[str],
    webhook_id: str,
    timestamp: int,
    body: bytes,
    *,
    wrong_key: bool = False,
) -> str:
    """Return the value of the `webhook-signature` header, one entry per secret.

    The key is the UTF-8 bytes of the whole secret: no prefix is stripped, nothing is decoded
    (verification in the vendor's Python and TypeScript SDKs). `wrong_key` derives it as
    Standard Webhooks does instead, which a receiver has to reject.

    Args:
        secrets: Webhook secrets, opaque text; several during a rotation.
        webhook_id: The `webhook-id` header, equal to the body's `id`.
        timestamp: Seconds since 1970 of this attempt.
        body: The raw body.
        wrong_key: Sign with the key of the other scheme.
    """
    content = f"{webhook_id}.{timestamp}.".encode() + body
    keys = (_standard(secret) if wrong_key else secret.encode() for secret in secrets)
    digests = (hmac.new(key, content, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _standard(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        # Not base64, so the other scheme has no key for it; any other key is as wrong.
        return b"wrong:" + secret.encode()
