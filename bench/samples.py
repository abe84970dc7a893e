"""The events that every measured function gets: the same users, the same deliveries."""

import copy
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from local.sign import signed
from local.simulator.client import Simulator

EVENTS = Path(__file__).resolve().parent.parent / "events"
SERVER, GMAIL, SLACK = "srv_demo", "ac_gmail", "ac_slack"
WEBHOOK_SECRET = "whsec_invented_for_the_bench"  # noqa: S105 - invented
KINDS = ("rejected", "incomplete", "completing", "repeated")
"""A forged signature; the first of two accounts; the second one; the second one once more."""
HAVE = {
    "rejected": (GMAIL, SLACK),
    "incomplete": (GMAIL,),
    "completing": (GMAIL, SLACK),
    "repeated": (GMAIL, SLACK),
}
"""What the user has at Composio by the time of the event."""
TOLD = {
    "rejected": (),
    "incomplete": (),
    "completing": (GMAIL,),
    "repeated": (GMAIL,),
}
"""The accounts whose events another environment of the function has had before."""

_PROXY = json.loads((EVENTS / "connected.json").read_text())
_BUS = json.loads((EVENTS / "bus.json").read_text())


def account_id(user_id: str, auth_config_id: str) -> str:
    """Return the id of the user's account of this auth config."""
    return f"ca_{user_id}_{auth_config_id}"


def connect(composio: Simulator, auth_config_id: str, users: Iterable[str]) -> None:
    """Give the users an account of this auth config at Composio."""
    composio.add_accounts(
        {"user_id": user, "auth_config_id": auth_config_id, "id": account_id(user, auth_config_id)}
        for user in users
    )


def envelope(user_id: str, auth_config_id: str) -> dict[str, Any]:
    """Return the event that this account is ACTIVE; the same one each time."""
    event: dict[str, Any] = copy.deepcopy(_BUS["detail"])
    event["id"] = f"msg_{user_id}_{auth_config_id}"
    event["data"] |= {"id": account_id(user_id, auth_config_id), "user_id": user_id}
    event["data"]["auth_config"]["id"] = auth_config_id
    return event


def delivery(content: dict[str, Any], *, forged: bool = False) -> dict[str, Any]:
    """Return the event as API Gateway hands it over, signed now."""
    proxy = copy.deepcopy(_PROXY)
    proxy["headers"]["webhook-id"] = content["id"]
    proxy["body"] = json.dumps(content, separators=(",", ":"))
    secret = "whsec_of_somebody_else" if forged else WEBHOOK_SECRET
    return signed(proxy, secret=secret, now=int(time.time()))


def batch(content: dict[str, Any]) -> dict[str, Any]:
    """Return the event as the queue hands it over: a batch of one."""
    record = {
        "messageId": content["id"],
        "receiptHandle": f"receipt of {content['id']}",
        "body": json.dumps({**_BUS, "detail": content}),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }
    return {"Records": [record]}


def users(kind: str, number: int) -> list[str]:
    """Return the names of this many users for a kind of event."""
    return [f"{kind}{one}" for one in range(number)]


def event(kind: str, user: str, *, queued: bool) -> dict[str, Any]:
    """Return the event of the kind, as the entry point gets it."""
    content = envelope(user, GMAIL if kind == "incomplete" else SLACK)
    return batch(content) if queued else delivery(content, forged=kind == "rejected")


def before(kind: str) -> str | None:
    """Return the kind of event that the same environment must have taken of the user before."""
    return "completing" if kind == "repeated" else None


def kinds(*, queued: bool) -> list[str]:
    """Return the kinds of events that come by this entry point: the bus's are not signed."""
    return [kind for kind in KINDS if not (queued and kind == "rejected")]
