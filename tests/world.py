"""The real handler with an in-memory table, a scripted Composio and a clock that tests set."""

import json
from collections.abc import Iterable
from itertools import count as numbers
from typing import Any

import httpx
import pytest

from handler import services, webhook, worker
from handler.catalog import MEMORY_SECONDS
from handler.dynamodb import from_item
from handler.events import Account
from handler.services import Sources
from handler.settings import Settings
from handler.targets import Kind, TargetId, session_profile
from local.sign import signed
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.requests import service_error
from tests.fakes.sqs import FakeSqs
from tests.openapi import conforms, routes
from tests.upstream import FakeComposio

NOW = 1767225600.0
SECRET = "whsec_invented_for_the_samples"
API_KEY = "ak_invented"
SERVER = "srv_demo"
TARGET = TargetId(Kind.INSTANCE, SERVER)
GMAIL, SLACK = "ac_gmail", "ac_slack"
TOOLKITS = {GMAIL: "gmail", SLACK: "slack"}
PROFILE = session_profile("work", TOOLKITS, {"preload": {"tools": "all"}})


class SecretStore:
    """Secrets Manager with one secret in it."""

    def __init__(self) -> None:
        self.secret: dict[str, Any] = {"composio_api_key": API_KEY, "webhook_secrets": [SECRET]}
        self.fetched = 0

    def get_secret_value(self, **_: Any) -> dict[str, Any]:
        """GetSecretValue."""
        self.fetched += 1
        return {"SecretString": json.dumps(self.secret)}


class World:
    """The handler and its surroundings; `now` is the clock, in Unix seconds."""

    def __init__(
        self,
        enrolled: Iterable[str] | None = (SERVER,),
        *,
        return_url: str = "",
        **settings: Any,
    ) -> None:
        self.now = NOW
        self.secrets = SecretStore()
        self.upstream = FakeComposio({SERVER: [GMAIL, SLACK]}, TOOLKITS)
        self.db = FakeDynamoDB("table")
        self.sqs = FakeSqs()
        self._tokens = numbers(1)
        self.settings = Settings(
            table_name="table",
            secret_id="secret",
            queue_url="queue",
            bus_name="bus",
            composio_base_url="https://composio.invalid",
            mcp_server_ids="*" if enrolled is None else ",".join(enrolled),
            return_url=return_url,
            **settings,
        )
        self.start()

    def start(self) -> None:
        """Start a new execution environment, with an empty memory."""
        clients = {"secretsmanager": self.secrets, "dynamodb": self.db, "sqs": self.sqs}
        sources = Sources(
            clients.__getitem__,
            lambda url: httpx.Client(base_url=url, transport=httpx.MockTransport(self.upstream)),
            clock=lambda: self.now,
            jitter=lambda: 1.0,
            token=lambda: f"token-{next(self._tokens)}",
            sleep=self.sleep,
        )
        self.services = wired = services.wire(self.settings, sources)
        self.credentials, self.catalog = wired.credentials, wired.catalog
        self.target_table, self.catalog_table = wired.target_table, wired.catalog_table
        self.walk_table = wired.walk_table
        self.account_table = wired.provisioning.account_table
        self.provisioning = wired.provisioning
        self.webhook, self.worker = webhook.wire(wired), worker.wire(wired)
        self.callback, self.sweep = self.webhook.callback, self.worker.sweep

    def tick(self, seconds: float = 30) -> None:
        """Send the schedule's message, and process the queue until it is empty."""
        self.sqs.put({"task": "sweep"})
        while self.sqs.messages:
            self.work(seconds)

    def minutes(self, number: int) -> None:
        """Let so many minutes pass, with a sweep in each."""
        for _ in range(number):
            self.tick()
            self.now += 60

    def work(self, seconds: float = 30) -> list[str]:
        """Process all messages in one batch, and return the ids of those that failed."""
        records, self.sqs.messages = self.sqs.messages, []
        answer = self.worker.work(records, seconds=seconds)
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]

    def later(self, seconds: int) -> None:
        """Let the seconds pass, and process the delayed messages that are then due."""
        self.now += seconds
        due = [body for delay, body in self.sqs.delayed if delay <= seconds]
        self.sqs.delayed = [(at - seconds, body) for at, body in self.sqs.delayed if at > seconds]
        for body in due:
            self.sqs.put(body)
        self.work()

    def see(self, account: Account) -> dict[str, str]:
        """Handle a fact, and return the status by server."""
        seen = self.provisioning.handle_fact(account, deadline=self.now + 22)
        return {outcome.target.name: outcome.status.value for outcome in seen.outcomes}

    def complete(self, user: str = "user_1") -> dict[str, str]:
        """Take the facts of both accounts to their end, and return the status by server."""
        self.see(account(GMAIL, user=user))
        return self.see(account(SLACK, user=user))

    def connect(
        self, user: str = "user_1", *auth_configs: str, created: float | None = None
    ) -> None:
        """Let the user connect accounts, or both, at Composio; no event is sent."""
        for auth_config in auth_configs or (GMAIL, SLACK):
            fact = account(auth_config, id=f"ca_{user}_{auth_config}", user=user)
            at = self.now if created is None else created
            self.upstream.accounts[fact.id] = as_composio_has_it(fact) | {"created_at": at}

    @property
    def ready(self) -> set[str]:
        """The users who have an instance at Composio."""
        return {user for _, user in self.upstream.instances}

    def sleep(self, seconds: float) -> None:
        """Advance the clock instead of waiting."""
        self.now += seconds

    def ask(self, method: str, resource: str, **more: Any) -> dict[str, Any]:
        """Request a route, and hold the answer to the OpenAPI document; `query` is by name."""
        query = {name: [value] for name, value in more.pop("query", {}).items()}
        event = {
            "httpMethod": method,
            "resource": resource,
            "multiValueQueryStringParameters": query or None,
            "requestContext": {"domainName": "api.invalid", "stage": "live"},
        }
        answer = self.webhook.answer(event | more, seconds=25)
        if (method, resource) in routes():
            conforms(method, resource, answer)
        return answer

    def deliver(self, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Send a proxy event unchanged, and return the status and the body of the answer."""
        answer = self.webhook.answer(event, seconds=25)
        return answer["statusCode"], json.loads(answer["body"])

    def deliver_signed(self, event: dict[str, Any], secret: str = SECRET) -> tuple[int, Any]:
        """Send a proxy event, signed now."""
        return self.deliver(signed(event, secret=secret, now=int(self.now)))

    def row(
        self, user_id: str = "user_1", server_id: str = SERVER, *, target: TargetId | None = None
    ) -> dict[str, Any]:
        """Return the row of a target, or of an instance; empty where there is none."""
        sort_key = (target or TargetId(Kind.INSTANCE, server_id)).sort_key
        key = {"pk": {"S": f"USER#{user_id}"}, "sk": {"S": sort_key}}
        found = self.db.get_item(TableName="table", Key=key)
        return from_item(found["Item"]) if "Item" in found else {}

    def trips(self) -> tuple[list[str], int]:
        """Return the DynamoDB operations and the number of create calls since the last time."""
        operations = [name for name, _ in self.db.calls]
        self.db.calls.clear()
        creates = self.upstream.creates
        self.upstream.requests.clear()
        return operations, creates


def refuse_writes(world: World, patch: pytest.MonkeyPatch, *texts: str) -> None:
    """Let DynamoDB take nothing of users that has one of these texts, as from a full item."""
    update = world.db.update_item

    def refuse(**request: Any) -> Any:
        of_users = request["Key"]["pk"]["S"].startswith("USER#")
        if of_users and any(text in str(request) for text in texts):
            raise service_error("UpdateItem", "ValidationException", "Item size has exceeded")
        return update(**request)

    patch.setattr(world.db, "update_item", refuse)


def swept_world() -> World:
    """Return a world whose server is back-filled, and whose sweep has run."""
    world = World()
    for _ in range(3):  # a back-fill that finds nobody is checked once more
        world.tick()
        world.now += MEMORY_SECONDS
    world.upstream.requests.clear()
    world.sqs.sent.clear()
    return world


def account(
    auth_config_id: str, *, id: str = "", status: str = "ACTIVE", at: int = 0, user: str = "user_1"
) -> Account:
    return Account(
        id=id or auth_config_id.replace("ac_", "ca_"),
        user_id=user,
        auth_config_id=auth_config_id,
        status=status,
        is_disabled=False,
        updated_at=f"2025-12-31T23:59:{at:02}.000000Z",
    )


def as_composio_has_it(fact: Account) -> dict[str, Any]:
    """Return the connected account as Composio's API returns it."""
    return {
        "id": fact.id,
        "user_id": fact.user_id,
        "auth_config": {"id": fact.auth_config_id, "is_disabled": False},
        "status": fact.status,
        "is_disabled": fact.is_disabled,
        "created_at": fact.updated_at,
        "updated_at": fact.updated_at,
    }
