"""The stage of the demo: what its people do, told as it happens."""

import contextlib
import dataclasses
import json
import socket
import time
from collections.abc import Iterator
from typing import Any, Self

import httpx

from local.backstage import Backstage
from local.show import rows
from local.simulator.client import Simulator
from local.simulator.events import OF_STATUS
from local.simulator.project import DEFAULT_API_KEY
from local.stack import Stack
from local.standin import StandIn, Wrong, listen
from local.timeline import Timeline

_GOOD, _BAD, _QUIET = "green", "red", "dim"


@dataclasses.dataclass(frozen=True)
class Link:
    """Where a user connects an account; Composio knows the account's id from the start."""

    url: str
    account_id: str


class Scene:
    """One application at Composio and its users. Use it as a context manager."""

    def __init__(self, timeline: Timeline, stack: Stack, simulator: Simulator) -> None:
        self.timeline = timeline
        self.stack = stack
        self.simulator = simulator
        self.links: dict[tuple[str, str], Link] = {}
        self.backstage = Backstage(timeline, stack, simulator)
        self._heard = 0
        self._composio = httpx.Client(
            base_url=f"{simulator.url}/api/v3",
            headers={"x-api-key": DEFAULT_API_KEY},
            trust_env=False,
        )
        self._browser = httpx.Client(trust_env=False)

    @classmethod
    def on(cls, timeline: Timeline, found: StandIn) -> Self:
        """Set the scene on what runs.

        Raises:
            Wrong: Composio is elsewhere.
        """
        if found.simulator is None:
            raise Wrong("the story is told with the simulator")
        return cls(timeline, found.stack, found.simulator)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.backstage.close()
        self._composio.close()
        self._browser.close()

    def ask_for_link(self, user_id: str, auth_config_id: str) -> Link:
        """The application's backend begins a connection for its user."""
        self.timeline.say("app", f"asks for a link: {user_id} is to connect {auth_config_id}")
        link = self.make_link(user_id, auth_config_id)
        self._tell_account(link)
        return link

    def make_link(self, user_id: str, auth_config_id: str, callback_url: str | None = None) -> Link:
        """Have Composio make a link, and remember it."""
        wanted = {
            "user_id": user_id,
            "auth_config_id": auth_config_id,
            "callback_url": callback_url,
        }
        answer = self._composio.post("/connected_accounts/link", json=wanted)
        made = answer.raise_for_status().json()
        link = Link(made["redirect_url"], made["connected_account_id"])
        self.links[user_id, auth_config_id] = link
        return link

    def open(self, link: Link) -> None:
        """The user opens the consent page."""
        self.timeline.say("browser", "opens the consent page")
        self._browser.get(link.url).raise_for_status()
        self._tell_account(link)

    def allow(self, link: Link) -> None:
        """The user says yes there."""
        self.timeline.say("browser", "allows it")
        self._browser.post(link.url, data={"decision": "allow"}).raise_for_status()
        self._tell_account(link)

    def connect(self, user_id: str, auth_config_id: str) -> None:
        """The user connects an account, without anything that goes wrong on the way."""
        link = self.ask_for_link(user_id, auth_config_id)
        self.open(link)
        self.allow(link)

    def deliver_again(self, user_id: str, auth_config_id: str, status: str, when: str) -> None:
        """Composio delivers the event of a status that the user's account had, once more."""
        link = self.links[user_id, auth_config_id]
        wanted = OF_STATUS[status]
        found = [
            attempt["webhook_id"]
            for attempt in self.simulator.deliveries()
            if attempt["account_id"] == link.account_id and attempt["type"] == wanted
        ]
        if not found:
            raise Wrong(f"there was no event {wanted} of {link.account_id}")
        self.timeline.say("Composio", f"delivers the event of {status} {when}")
        self.simulator.redeliver(found[-1])
        self.hear()

    @property
    def users(self) -> list[str]:
        """Everybody who began to connect something, in that order."""
        return list(dict.fromkeys(user_id for user_id, _ in self.links))

    @contextlib.contextmanager
    def webhook_out_of_reach(self) -> Iterator[None]:
        """Let no delivery arrive for as long as the context lasts."""
        with socket.socket() as silent:
            # Bound, but nobody listens: the port is refused, and nobody else's.
            silent.bind(("127.0.0.1", 0))
            retries = self.simulator.state()["switches"]["webhook_retries"]
            self.simulator.switch(webhook_retries=0)
            self.simulator.set_webhook(
                f"http://127.0.0.1:{silent.getsockname()[1]}", self.stack.webhook_secret
            )
            try:
                yield
            finally:
                listen(self.simulator, self.stack)
                self.simulator.switch(webhook_retries=retries)

    def hear(self) -> None:
        """Wait until every event is delivered, and tell what the webhook answered."""
        attempts = self.simulator.wait_for_deliveries(timeout=60)
        for attempt in attempts[self._heard :]:
            good = attempt["status"] == 200
            text = _answer(attempt)
            style = "" if good and text != "200 retrying" else _BAD
            self.timeline.say("webhook", text, _GOOD if text == "200 ready" else style)
        self._heard = len(attempts)

    def show_table(self, user_id: str) -> None:
        """Tell what the table says of the user."""
        for row in rows(self.stack, user_id):
            if row["sk"] == "ACCOUNTS":
                accounts = [each for name, each in row.items() if name.startswith("account#")]
                held = sorted(f"{each['auth_config_id']} {each['status']}" for each in accounts)
                self.timeline.say("table", f"{user_id} has {', '.join(held)}", _QUIET)
            else:
                instance = (row.get("record") or {}).get("id", "unknown")
                server_id = row["sk"].removeprefix("INSTANCE#")
                text = f"the instance for {server_id} is {row['status']}, its id {instance}"
                if row["status"] == "retrying":
                    left = max(0, int(row["due_at"]) - int(time.time()))
                    text = f"the instance for {server_id} is retrying, due in {left} s"
                self.timeline.say("table", text, _QUIET)

    def _tell_account(self, link: Link) -> None:
        answer = self._composio.get(f"/connected_accounts/{link.account_id}")
        status = answer.raise_for_status().json()["status"]
        sends = "a signed" if self.simulator.state()["switches"]["webhooks"] else "no"
        self.timeline.say("Composio", f"{link.account_id} is {status}; sends {sends} event")
        self.hear()


def _answer(attempt: dict[str, Any]) -> str:
    if attempt["status"] is None:
        return f"not reached: {attempt['error']}"
    try:
        body = json.loads(attempt["answer"])
        servers = [_server(each) for each in body.get("servers", ())]
        said = ", ".join(servers) or body.get("ignored") or body["error"]["message"]
    except (ValueError, KeyError, TypeError, AttributeError):
        said = attempt["answer"][:80]
    return f"{attempt['status']} {said}".strip()


def _server(server: dict[str, Any]) -> str:
    missing = ", ".join(server["missing"])
    return f"{server['status']}, missing {missing}" if missing else str(server["status"])
