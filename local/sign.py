"""Signs a sample of `events/` again: `python -m local.sign events/connected.json --secret S`.

Prints the API Gateway event with the current time and the signature that Composio would send,
for `sam local invoke -e` or, with `--curl URL`, as a command to paste.
"""

import argparse
import base64
import json
import shlex
import time
from pathlib import Path
from typing import Any

from local.simulator.signing import sign


def signed(event: dict[str, Any], *, secret: str, now: int) -> dict[str, Any]:
    """Return the proxy event with a new timestamp and signature.

    Args:
        event: An API Gateway proxy event (payload 1.0) with a `webhook-id` header.
        secret: The webhook secret.
        now: Unix seconds.
    """
    headers = dict(event["headers"])
    body = event["body"].encode()
    if event["isBase64Encoded"]:
        body = base64.b64decode(body)
    headers["webhook-timestamp"] = str(now)
    headers["webhook-signature"] = sign([secret], headers["webhook-id"], now, body)
    many = {name: [value] for name, value in headers.items()}
    return {**event, "headers": headers, "multiValueHeaders": many}


def curl(event: dict[str, Any], url: str) -> str:
    """Return the command that sends the event to the URL."""
    parts = ["curl", "-sS", "-X", "POST", url]
    for name, value in event["headers"].items():
        parts += ["-H", f"{name}: {value}"]
    body = event["body"]
    if event["isBase64Encoded"]:
        body = base64.b64decode(body).decode()
    return shlex.join([*parts, "--data-binary", body])


def main() -> None:
    """Print the signed event, or the command."""
    parser = argparse.ArgumentParser(prog="local.sign", description="Sign a sample event again.")
    parser.add_argument("sample", type=Path, help="a file of events/")
    parser.add_argument("--secret", required=True, help="the webhook secret")
    parser.add_argument("--curl", metavar="URL", help="print a curl command for this URL instead")
    options = parser.parse_args()
    event = signed(
        json.loads(options.sample.read_text()), secret=options.secret, now=int(time.time())
    )
    print(curl(event, options.curl) if options.curl else json.dumps(event, indent=2))


if __name__ == "__main__":
    main()
