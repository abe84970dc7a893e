"""What the webhook and the callback answered, in a line each."""

import json
import re
from html import unescape
from typing import Any


def text_of(page: str) -> str:
    """Return what one reads on the callback's page."""
    title, *rows = re.findall(r"<h1>(.*?)</h1>|<li\b.*?<span>(.*?)</span><span>(.*?)</span>", page)
    listed = ", ".join(f"{name} {state.lower()}" for _, name, state in rows)
    return unescape(f"{title[0]}: {listed}" if listed else title[0])


def answer_of(attempt: dict[str, Any]) -> str:
    """Return what the webhook answered to a delivery, or that it was not reached."""
    if attempt["status"] is None:
        return f"not reached: {attempt['error']}"
    try:
        body = json.loads(attempt["answer"])
        targets = [_target(each) for each in body.get("targets", ())]
        text = ", ".join(targets) or body.get("ignored") or body["error"]["message"]
    except (ValueError, KeyError, TypeError, AttributeError):
        text = attempt["answer"][:80]
    return f"{attempt['status']} {text}".strip()


def _target(target: dict[str, Any]) -> str:
    missing = ", ".join(str(one["toolkit"]) for one in target["missing"])
    return f"{target['status']}, missing {missing}" if missing else str(target["status"])
