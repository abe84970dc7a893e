"""Which webhook events exist, and what they contain."""

import json
from dataclasses import dataclass
from datetime import datetime

from local.simulator.accounts import Status
from local.simulator.clock import iso, random_id

ACTIVATED = "composio.connected_account.activated"
EXPIRED = "composio.connected_account.expired"
OF_STATUS = {Status.ACTIVE: ACTIVATED, Status.EXPIRED: EXPIRED}
# API reference, Webhook events.
_TYPES = {
    "composio.trigger.message": ("A trigger received data", ("V1", "V2", "V3")),
    EXPIRED: ("A connected account expired and needs the user again", ("V3",)),
    "composio.trigger.disabled": ("Composio disabled a trigger", ("V3",)),
}
# Offered to some projects only.
_ACTIVATED = {ACTIVATED: ("A connected account became active", ("V3",))}


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook message; id and body stay the same however often it is delivered."""

    id: str
    type: str
    account_id: str
    body: bytes


def offered(*, activated: bool) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Map the event types that can be subscribed to, to description and versions."""
    return _TYPES | _ACTIVATED if activated else _TYPES


def event(kind: str, at: datetime, account: dict[str, object]) -> Event:
    """Build a V3 message about an account, given in its JSON shape."""
    event_id = random_id("msg_")
    message = {
        "id": event_id,
        "timestamp": iso(at),
        "type": kind,
        "metadata": {"project_id": "pr_simulator", "org_id": "ok_simulator"},
        "data": account,
    }
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    return Event(event_id, kind, str(account["id"]), body)
