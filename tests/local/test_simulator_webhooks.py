"""The webhooks of the simulator, received by a real server."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from local.simulator.client import Simulator
from local.simulator.signing import sign

SECRETS = ("whsec_invented_one", "whsec_invented_two")
ACTIVATED = "composio.connected_account.activated"
EXPIRED = "composio.connected_account.expired"


@dataclass
class Inbox:
    """What arrived, and which statuses to answer first."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def messages(self) -> list[dict[str, Any]]:
        """Return the bodies, parsed."""
        return [json.loads(body) for body in self.bodies]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    received = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.headers.append({name.lower(): value for name, value in self.headers.items()})
            received.bodies.append(body)
            self.send_response(received.answers.pop(0) if received.answers else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield received
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def simulator(simulated: Simulator, inbox: Inbox) -> Simulator:
    simulated.reset()
    simulated.set_webhook(inbox.url, *SECRETS)
    simulated.set_options(webhook_backoff=0.01)
    return simulated


def test_the_signature_is_that_of_the_known_answer() -> None:
    secret = "whsec_" + base64.b64encode(b"test-secret-for-docs").decode()
    message_id = "msg_9c8b7a6d-5e4f-4a3b-2c1d-0e9f8a7b6c5d"
    body = f'{{"id":"{message_id}","type":"{EXPIRED}"}}'.encode()
    assert sign([secret], message_id, 1767225600, body) == (
        "v1,aEhduRadwPwnM2QdIoSQrjtLUNlAhk3+ZHN2FmK/gmU="
    )


def test_an_account_that_expires_is_announced_whole(simulator: Simulator, inbox: Inbox) -> None:
    account_id = simulator.add_account("ada", "ac_gmail", webhook=True)
    assert simulator.change_account(account_id, status="REVOKED")["webhook_id"] is None
    sent = simulator.change_account(account_id, status="EXPIRED")["webhook_id"]
    simulator.wait_for_deliveries()
    [message] = inbox.messages()
    assert message["id"] == sent == inbox.headers[0]["webhook-id"]
    assert set(message) == {"id", "timestamp", "type", "metadata", "data"}
    assert message["type"] == EXPIRED
    assert message["data"]["id"] == account_id
    assert message["data"]["auth_config"]["id"] == "ac_gmail"
    assert message["data"]["state"]["val"]["status"] == "EXPIRED"


def test_an_account_that_becomes_active_is_announced_where_that_is_offered(
    simulator: Simulator, inbox: Inbox
) -> None:
    simulator.add_account("ada", "ac_gmail", webhook=True)
    simulator.set_options(activated_event="account")
    account_id = simulator.add_account("ada", "ac_gmail", webhook=True)
    simulator.wait_for_deliveries()
    [message] = inbox.messages()
    assert message["type"] == ACTIVATED
    assert (message["data"]["id"], message["data"]["status"]) == (account_id, "ACTIVE")


def test_every_secret_signs_the_raw_body(simulator: Simulator, inbox: Inbox) -> None:
    simulator.add_account("ada", "ac_gmail", status="EXPIRED", webhook=True)
    simulator.wait_for_deliveries()
    [headers] = inbox.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + inbox.bodies[0]
    expected = [
        "v1,"
        + base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
        for secret in SECRETS
    ]
    assert headers["webhook-signature"].split(" ") == expected
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 5
    assert headers["content-type"] == "application/json"
    assert headers["x-composio-webhook-version"] == "V3"


def test_what_is_not_acknowledged_comes_again_with_the_same_id_and_body(
    simulator: Simulator, inbox: Inbox
) -> None:
    inbox.answers = [500, 401]
    account_id = simulator.add_account("ada", "ac_gmail", status="EXPIRED", webhook=True)
    attempts = simulator.wait_for_deliveries()
    assert [each["status"] for each in attempts] == [500, 401, 200]
    assert {each["account_id"] for each in attempts} == {account_id}
    assert len(set(inbox.bodies)) == 1
    numbers = [each["x-composio-delivery-attempt"] for each in inbox.headers]
    assert numbers == ["1", "2", "3"]


def test_retries_end_and_an_event_can_be_delivered_again(
    simulator: Simulator, inbox: Inbox
) -> None:
    simulator.set_options(webhook_retries=1)
    inbox.answers = [503, 503]
    simulator.add_account("ada", "ac_gmail", status="EXPIRED", webhook=True)
    first, second = simulator.wait_for_deliveries()
    assert first["webhook_id"] == second["webhook_id"]
    simulator.redeliver(first["webhook_id"])
    assert simulator.wait_for_deliveries()[-1]["status"] == 200
    assert len(set(inbox.bodies)) == 1


def test_a_subscription_gets_the_events_it_asked_for(
    simulator: Simulator, api: httpx.Client, inbox: Inbox
) -> None:
    simulator.set_webhook(None)
    path = "/api/v3/webhook_subscriptions"
    wanted: dict[str, object] = {"webhook_url": inbox.url, "enabled_events": [EXPIRED]}
    assert api.post(path, json={**wanted, "version": "V2"}).status_code == 400
    assert api.post(path, json={**wanted, "enabled_events": [ACTIVATED]}).status_code == 400
    assert api.post(path, json={**wanted, "webhook_url": "http://x.example"}).status_code == 400
    made = api.post(path, json=wanted)
    assert made.status_code == 201
    second = api.post(path, json=wanted)
    assert second.status_code == 409
    assert second.json()["error"]["slug"] == "WebhookSubscription_ResourceLimitExceeded"

    old, own = made.json()["secret"], f"{path}/{made.json()['id']}"
    new = api.post(f"{own}/rotate_secret").json()["secret"]
    assert new != old
    simulator.add_account("ada", "ac_gmail", status="EXPIRED", webhook=True)
    simulator.wait_for_deliveries()
    [headers] = inbox.headers
    assert headers["webhook-signature"] == sign(
        [new], headers["webhook-id"], int(headers["webhook-timestamp"]), inbox.bodies[0]
    )
    trigger = ["composio.trigger.message"]
    assert api.patch(own, json={"enabled_events": trigger}).json()["enabled_events"] == trigger
    expired = [{"user_id": "ada", "auth_config_id": "ac_gmail", "status": "EXPIRED"}]
    assert simulator.add_accounts(expired, webhook=True)["webhook_ids"] == []
    assert api.delete(own).status_code == 200
    assert api.get(path).json()["items"] == []


def test_the_activated_event_is_listed_only_where_it_is_offered(
    simulator: Simulator, api: httpx.Client
) -> None:
    def listed() -> set[str]:
        items = api.get("/api/v3.1/webhook_subscriptions/event_types").json()["items"]
        return {each["event_type"] for each in items}

    without = listed()
    assert len(without) == 3
    simulator.set_options(activated_event="account")
    assert listed() - without == {ACTIVATED}


def test_no_secret_is_shown_by_control(simulator: Simulator) -> None:
    shown = json.dumps(simulator.state())
    assert "ak_simulator" not in shown
    assert not any(secret in shown for secret in SECRETS)
