"""What the application, its users and Composio do in the demo, shown on the timeline."""

import contextlib
import dataclasses
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import boto3
import httpx

from local.demo.answers import answer_of, text_of
from local.demo.observer import Observer
from local.emulated_stack import Stack
from local.emulator import aws_environment
from local.environment import CommandError, send_events
from local.simulator.client import Simulator
from local.simulator.project import DEFAULT_API_KEY
from local.timeline import Timeline

_SWEEP = '{"task": "sweep"}'


@dataclasses.dataclass(frozen=True)
class Link:
    """Where a user connects an account; Composio knows the account's id from the start."""

    url: str
    account_id: str


class Actions:
    """One application at Composio, and its users."""

    def __init__(self, timeline: Timeline, stack: Stack, simulator: Simulator) -> None:
        self.timeline = timeline
        self.simulator = simulator
        self.observer = Observer(stack)
        self._stack = stack
        self._links: dict[tuple[str, str], Link] = {}
        self._shown = 0

    @property
    def users(self) -> list[str]:
        """Everybody who began to connect something, in that order."""
        return list(dict.fromkeys(user_id for user_id, _ in self._links))

    def connect(self, user_id: str, auth_config_id: str) -> None:
        """The user connects an account, by a link that the application has requested."""
        self.timeline.line("app", f"requests a link: {user_id} is to connect {auth_config_id}")
        link = self._link(user_id, auth_config_id)
        self.timeline.line("browser", "opens the consent page, and allows it")
        self.simulator.consent(link.url)
        offered = self.simulator.set_options()["activated_event"] != "off"
        event = "a signed event" if offered else "no event"
        self.timeline.line("Composio", f"{link.account_id} is ACTIVE; sends {event}")
        self.show_deliveries()

    def connect_and_return(self, user_id: str, auth_config_id: str) -> None:
        """The user connects an account, and Composio sends the browser to the callback."""
        self.timeline.line("app", f"requests a link that returns: {user_id}, {auth_config_id}")
        link = self._link(user_id, auth_config_id, self._stack.callback_url)
        with httpx.Client(trust_env=False, follow_redirects=True, timeout=60) as browser:
            browser.get(link.url).raise_for_status()
            page = browser.post(link.url, data={"decision": "allow"}).raise_for_status()
        path = page.url.path.split("/live")[-1]
        self.timeline.line("browser", f"allows it, is sent back to {path}")
        text = text_of(page.text)
        self.timeline.line("page", text, "green" if text.startswith("You are all set") else "")

    def deliver_again(self, user_id: str, auth_config_id: str, when: str) -> None:
        """Composio delivers the event about the user's account once more."""
        account_id = self._links[user_id, auth_config_id].account_id
        found = [
            attempt["webhook_id"]
            for attempt in self.simulator.deliveries()
            if attempt["account_id"] == account_id
        ]
        if not found:
            raise CommandError(f"there was no event about {account_id}")
        self.timeline.line("Composio", f"delivers the event of {auth_config_id} {when}")
        self.simulator.redeliver(found[-1])
        self.show_deliveries()

    @contextlib.contextmanager
    def webhook_unreachable(self) -> Iterator[None]:
        """Let no delivery arrive for as long as the context lasts."""
        with socket.socket() as closed:
            # Bound, but not listening: connections are refused, and nobody else gets the port.
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
            retries = self.simulator.set_options()["webhook_retries"]
            self.simulator.set_options(webhook_retries=0)
            self.simulator.set_webhook(url, self._stack.webhook_secret)
            try:
                yield
            finally:
                send_events(self.simulator, self._stack)
                self.simulator.set_options(webhook_retries=retries)

    @contextlib.contextmanager
    def event_not_offered(self) -> Iterator[None]:
        """Make this a project that is not offered the event for as long as the context lasts."""
        self.simulator.set_options(activated_event="off")
        try:
            yield
        finally:
            self.simulator.set_options(activated_event="account")

    @contextlib.contextmanager
    def composio_down(self) -> Iterator[None]:
        """Let create-instance fail for as long as the context lasts."""
        self.timeline.line("Composio", "has an outage: create-instance answers 503", "red")
        down: dict[str, Any] = {"status": 503, "message": "Service Unavailable", "times": None}
        self.simulator.add_fault(method="POST", path="*/instances", **down)
        try:
            yield
        finally:
            self.simulator.clear_faults()
            self.timeline.line("Composio", "works again", "green")

    def sweep(self, user_id: str) -> None:
        """Send what the schedule sends each minute, and wait until the user is ready."""
        self.timeline.line("schedule", "sends: sweep (sent early, it comes each minute)")
        sqs = boto3.client("sqs", **self._stack.connection)
        sqs.send_message(QueueUrl=self._stack.queue_url, MessageBody=_SWEEP)
        with self.timeline.step("worker", f"works on {user_id}"):
            self.observer.wait_until_ready(user_id)
        self.show_table(user_id)

    def operate(self, *command: str) -> None:
        """The operator runs a command of `provisioner`."""
        self.timeline.line("operator", shlex.join(["provisioner", *command]))
        ran = subprocess.run(
            [sys.executable, "-m", "provisioner", *command],
            env=aws_environment(self._stack.aws_endpoint_url)
            | {"PYTHONPATH": "src:.", "PROVISIONER_STACK": self._stack.stack_name},
            check=False,
            capture_output=True,
            text=True,
        )
        if ran.returncode:
            raise CommandError(f"provisioner failed: {ran.stderr}")
        self.timeline.line("operator", ran.stdout.strip())

    def advance_backfill(self, profile: str) -> None:
        """Have the back-fill of a profile begin at once, without the minute that it waits."""
        self.timeline.line("table", "the back-fill would begin in a minute; here it begins at once")
        self.observer.advance_backfill(profile)

    def take_servers_away(self, user_id: str) -> None:
        """Composio ends MCP servers, and the user's agent finds that out."""
        self.timeline.line("Composio", "has removed MCP servers: their endpoints answer 410", "red")
        self.simulator.set_options(mcp_sunset="over")
        url = self.observer.endpoint(user_id, "instance")
        answer = httpx.post(url, headers={"x-api-key": DEFAULT_API_KEY}, trust_env=False)
        self.timeline.line("agent", f"{url}: {answer.status_code} {answer.reason_phrase}", "red")

    def use_tools(self, user_id: str, kind: str) -> None:
        """The user's agent uses the URL of the outcome event, with the project's API key."""
        # Importing the MCP client takes a second.
        from local.demo.agent import call_tool, list_tools  # noqa: PLC0415

        url = self.observer.endpoint(user_id, kind)
        self.timeline.line("bus", f"{user_id}'s tools are at {url}")
        tools = list_tools(url, DEFAULT_API_KEY)
        self.timeline.line("agent", f"lists tools: {', '.join(tools)}")
        result = call_tool(url, DEFAULT_API_KEY, tools[0])
        self.timeline.line("agent", f"calls {tools[0]}: {result}", "green")

    def wait_until_due(self, user_id: str) -> None:
        """Wait until the user's instance may be tried again."""
        with self.timeline.step("table", f"{user_id}'s instance is due in a few seconds"):
            self.observer.wait_until_due(user_id)

    def show_deliveries(self) -> None:
        """Wait until every event is delivered, and show what the webhook answered."""
        attempts = self.simulator.wait_for_deliveries(timeout=60)
        for attempt in attempts[self._shown :]:
            text = answer_of(attempt)
            good = attempt["status"] == 200 and text != "200 retrying"
            style = "green" if text == "200 ready" else "" if good else "red"
            self.timeline.line("webhook", text, style)
        self._shown = len(attempts)

    def show_table(self, user_id: str) -> None:
        """Show what is stored of the user."""
        accounts = sorted(
            f"{each['auth_config_id']} {each['status']}" for each in self.observer.accounts(user_id)
        )
        text = f"{user_id} has {', '.join(accounts)}" if accounts else f"{user_id} is not known"
        self.timeline.line("table", text, "dim")
        for row in self.observer.targets(user_id):
            record = row.get("record") or {}
            more = f"its id {record.get('id') or record.get('session_id', 'unknown')}"
            if row["status"] == "retrying":
                more = f"due in {max(0, int(row['due_at']) - int(time.time()))} s"
            kind, _, name = row["sk"].partition("#")
            text = f"the {kind.lower()} for {name} is {row['status']}, {more}"
            self.timeline.line("table", text, "dim")

    def _link(self, user_id: str, auth_config_id: str, callback_url: str | None = None) -> Link:
        body = {"user_id": user_id, "auth_config_id": auth_config_id, "callback_url": callback_url}
        url, key = f"{self.simulator.url}/api/v3/connected_accounts/link", DEFAULT_API_KEY
        answer = httpx.post(url, json=body, headers={"x-api-key": key}, trust_env=False)
        made = answer.raise_for_status().json()
        link = Link(made["redirect_url"], made["connected_account_id"])
        self._links[user_id, auth_config_id] = link
        return link
