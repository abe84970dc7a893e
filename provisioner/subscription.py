"""Composio's one webhook subscription of the project: what it is, and what it should be.

docs.composio.dev/reference, "Webhook subscriptions": a second POST is answered 409; a rotated
secret replaces the old one at once, so whoever receives has to accept both for a while.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from handler import answers
from handler.events import ACCOUNT_EVENTS
from handler.targets import Problem
from handler.transport import Transport, Unavailable, items, must_read, segment
from provisioner.stack import soon

VERSION = "V3"
_PATH = "/api/v3/webhook_subscriptions"


class Subscription(BaseModel):
    """The subscription; `secret` signs what is delivered."""

    id: str
    webhook_url: str
    version: str = ""
    enabled_events: list[str] = []
    secret: str = Field(default="", repr=False)


class _EventType(BaseModel):
    event_type: str
    supported_versions: list[str] = []


def offered(transport: Transport) -> list[str]:
    """Return the account events that Composio offers to this project; raises Unavailable."""
    page = transport.get(f"{_PATH}/event_types", soon())
    types = [must_read(_EventType, item) for item in items(page, "items")]
    return sorted(
        one.event_type
        for one in types
        if one.event_type.startswith(ACCOUNT_EVENTS) and VERSION in one.supported_versions
    )


def current(transport: Transport) -> Subscription | None:
    """Return the subscription, or None; raises Unavailable."""
    found = items(transport.get(_PATH, soon(), limit=1), "items")
    return must_read(Subscription, found[0]) if found else None


def lacking(found: Subscription | None, url: str, events: list[str]) -> dict[str, Any]:
    """Return what has to be changed for the events to come here; empty where they do."""
    if found is None:
        return {"webhook_url": url, "enabled_events": events, "version": VERSION}
    changes: dict[str, Any] = {}
    if found.webhook_url != url:
        changes["webhook_url"] = url
    if found.version != VERSION:
        changes["version"] = VERSION
    if not set(events) <= set(found.enabled_events):
        changes["enabled_events"] = sorted({*found.enabled_events, *events})
    return changes


def change(
    transport: Transport, found: Subscription | None, changes: Mapping[str, Any]
) -> Subscription:
    """Create the subscription, or change it; raises Unavailable.

    Its status is 409 where somebody else has created the one subscription meanwhile.
    """
    path = f"{_PATH}/{segment(found.id)}" if found else _PATH
    answer = _send(transport, "PATCH" if found else "POST", path, changes)
    return must_read(Subscription, answer)


def rotate(transport: Transport, found: Subscription) -> str:
    """Have Composio create a new secret, and return it; raises Unavailable."""
    answer = _send(transport, "POST", f"{_PATH}/{segment(found.id)}/rotate_secret", None)
    secret = answer.get("secret")
    if not isinstance(secret, str) or not secret:
        raise Unavailable(Problem("the answer names no secret"))
    return secret


def _send(transport: Transport, method: str, path: str, body: object) -> dict[str, Any]:
    response = transport.send(method, path, soon(), json=body)
    content = answers.read_object(response.content) if response.is_success else None
    if content is None:
        said = answers.problem(response.status_code, response.headers, response.content)
        raise Unavailable(said)
    return content
