"""How Composio signs a webhook. Pure."""

import base64
import hashlib
import hmac
from collections.abc import Iterable


def sign(secrets: Iterable[str], webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of the `webhook-signature` header, one entry per secret.

    The key is the UTF-8 bytes of the whole secret: no prefix is stripped, nothing is decoded
    (verification in the vendor's Python and TypeScript SDKs).

    Args:
        secrets: Webhook secrets, opaque text; several while one is rotated.
        webhook_id: The `webhook-id` header, equal to the body's `id`.
        timestamp: Seconds since 1970 of this attempt.
        body: The raw body.
    """
    content = f"{webhook_id}.{timestamp}.".encode() + body
    digests = (hmac.new(each.encode(), content, hashlib.sha256).digest() for each in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
