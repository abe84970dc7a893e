"""Which webhook events exist, and what they say. Pure."""

import json
from dataclasses import dataclass
from datetime import datetime

from local.simulator.accounts import Status
from local.simulator.clock import iso

_OF_ACCOUNT = "composio.connected_account."
OF_STATUS: dict[str, str] = {status: f"{_OF_ACCOUNT}{status.lower()}" for status in Status}
EXPIRED = OF_STATUS["EXPIRED"]
DELETED = f"{_OF_ACCOUNT}deleted"
# The three types that can be subscribed to (API reference, Webhook events).
REAL = {
    "composio.trigger.message": ("A trigger received data", ("V1", "V2", "V3")),
    EXPIRED: ("A connected account expired and needs the user again", ("V3",)),
    "composio.trigger.disabled": ("Composio disabled a trigger", ("V3",)),
}
_SYNTHETIC_NOTE = "SYNTHETIC: this event exists in the simulator only, not at Composio"
SYNTHETIC = {
    name: (_SYNTHETIC_NOTE, ("V3",)) for name in (*OF_STATUS.values(), DELETED) if name != EXPIRED
}


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook message; id and body stay the same however often it is delivered."""

    id: str
    type: str
    account_id: str
    body: bytes


def known(*, synthetic: bool) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Map the event types that can be subscribed to, to description and versions."""
    return REAL | SYNTHETIC if synthetic else dict(REAL)


def envelope(event_id: str, event_type: str, at: datetime, account: dict[str, object]) -> Event:
    """Build a V3 envelope around the JSON shape of an account (with its `id`)."""
    message = {
        "id": event_id,
        "timestamp": iso(at),
        "type": event_type,
        "metadata": {"project_id": "pr_simulator", "org_id": "ok_simulator"},
        "data": account,
    }
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    return Event(event_id, event_type, str(account["id"]), body)
