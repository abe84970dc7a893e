"""Signs a delivery as Composio does, by its documentation and by none of our code."""

import base64
import hashlib
import hmac
import itertools
import time

_numbers = itertools.count(1)


def signed(body: bytes, *secrets: str, webhook_id: str = "", at: int = 0) -> dict[str, str]:
    """Return the headers of a delivery, signed as Composio's documentation says."""
    webhook_id = webhook_id or f"msg_{next(_numbers)}"
    stamp = str(at or int(time.time()))
    message = f"{webhook_id}.{stamp}.".encode() + body
    macs = [hmac.new(secret.encode(), message, hashlib.sha256).digest() for secret in secrets]
    return {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs),
    }
