"""The real handler with an in-memory table, a scripted Composio and a clock that tests set."""

import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count as numbers
from typing import Any

import httpx

from handler import services, webhook, worker
from handler.catalog import MEMORY_SECONDS
from handler.dynamodb import from_item
from handler.events import Account
from handler.services import Sources
from handler.settings import Settings
from handler.targets import Kind, TargetId, session_profile
from local.sign import signed
from tests.fakes.dynamodb import FakeDynamoDB
from tests.openapi import conforms, routes

NOW = 1767225600.0
SECRET = "whsec_invented_for_the_samples"
API_KEY = "ak_invented"
SERVER = "srv_demo"
TARGET = TargetId(Kind.INSTANCE, SERVER)
GMAIL, SLACK = "ac_gmail", "ac_slack"
PROFILE = session_profile("work", {GMAIL: "gmail", SLACK: "slack"}, {"preload": {"tools": "all"}})


class SecretStore:
    """Secrets Manager with one secret in it."""

    def __init__(self) -> None:
        self.secret: dict[str, Any] = {"composio_api_key": API_KEY, "webhook_secrets": [SECRET]}
        self.fetched = 0

    def get_secret_value(self, **_: Any) -> dict[str, Any]:
        """GetSecretValue."""
        self.fetched += 1
        return {"SecretString": json.dumps(self.secret)}


@dataclass
class FakeSqs:
    """A queue whose messages `World.work` takes; `World.later` delivers the `delayed` ones."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    delayed: list[tuple[int, str]] = field(default_factory=list)
    postponed: list[tuple[str, int]] = field(default_factory=list)
    backlog: int = 0
    _ids: Any = field(default_factory=lambda: numbers(1))

    def tasks(self, name: str) -> list[dict[str, Any]]:
        """Return what was sent of one kind of task."""
        return [task for task in self.sent if task["task"] == name]

    def put(self, body: object, receives: int = 1) -> str:
        """Add a message as the worker gets it, and return its id."""
        message_id = f"message-{next(self._ids)}"
        self.messages.append(
            {
                "messageId": message_id,
                "receiptHandle": f"receipt of {message_id}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": str(receives)},
            }
        )
        return message_id

    def send_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl == "queue"
        assert 1 <= len(Entries) <= 10
        for entry in Entries:
            self.sent.append(json.loads(entry["MessageBody"]))
            if delay := entry.get("DelaySeconds", 0):
                assert 0 < delay <= 900
                self.delayed.append((delay, entry["MessageBody"]))
            else:
                self.put(entry["MessageBody"])
        return {"Successful": Entries}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        half = str(self.backlog // 2)
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": half,
                "ApproximateNumberOfMessagesNotVisible": half,
                "ApproximateNumberOfMessagesDelayed": "0",
                "VisibilityTimeout": "180",
            }
        }

    def change_message_visibility(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        ReceiptHandle: str,  # noqa: N803
        VisibilityTimeout: int,  # noqa: N803
    ) -> None:
        assert QueueUrl == "queue"
        self.postponed.append((ReceiptHandle, VisibilityTimeout))


@dataclass
class FakeComposio:
    """A minimal Composio; create calls get the answers of `script` first."""

    servers: dict[str, list[str]] = field(default_factory=lambda: {SERVER: [GMAIL, SLACK]})
    urls: dict[str, object] = field(default_factory=dict)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    instances: set[tuple[str, str]] = field(default_factory=set)
    script: deque[Callable[[httpx.Request], httpx.Response] | httpx.Response | Exception] = field(
        default_factory=deque
    )
    router_sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The request body of each session, by id."""
    gets: deque[httpx.Response] = field(default_factory=deque)
    on_list: Callable[[httpx.QueryParams, httpx.Response], httpx.Response] | None = None
    """Replaces each answer to a list of connected accounts, given its query."""
    down: bool = False
    page: int = 100
    requests: list[httpx.Request] = field(default_factory=list)

    @property
    def creates(self) -> int:
        """The number of create calls."""
        return sum(request.method == "POST" for request in self.requests)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "GET" and self.gets:
            return self.gets.popleft()
        if self.down:
            raise httpx.ConnectError("down", request=request)
        parts = request.url.path.removeprefix("/api/v3/").split("/")
        return self._session(request, parts) if "tool_router" in parts else self._v3(request, parts)

    def _v3(self, request: httpx.Request, parts: list[str]) -> httpx.Response:
        match request.method, parts:
            case "POST", ["mcp", "servers", server_id, "instances"]:
                return self._create(request, server_id)
            case "GET", ["mcp", "servers", server_id, "instances"]:
                found = [self.record(*one) for one in self.instances if one[0] == server_id]
                return httpx.Response(200, json={"instances": found, "total_pages": 1})
            case "GET", ["mcp", "servers"]:
                items = [self._server(one) for one in self.servers]
                return httpx.Response(200, json={"items": items, "total_pages": 1})
            case "GET", ["mcp", server_id] if server_id in self.servers:
                return httpx.Response(200, json=self._server(server_id))
            case "GET", ["connected_accounts", account_id] if account_id in self.accounts:
                return httpx.Response(200, json=self.accounts[account_id])
            case "GET", ["connected_accounts"]:
                params, listed = request.url.params, self._accounts(request.url.params)
                return self.on_list(params, listed) if self.on_list else listed
            case "GET", ["auth_configs"]:
                items = [
                    {"id": GMAIL, "toolkit": {"slug": "gmail"}},
                    {"id": SLACK, "toolkit": {"slug": "slack"}},
                ]
                return httpx.Response(200, json={"items": items})
        return refusal(404, "not found")

    def record(self, server_id: str, user_id: str) -> dict[str, str]:
        """Return the record of an instance."""
        at = "2026-01-01T00:00:00.000Z"
        return {
            "id": f"rec_{user_id}",
            "instance_id": user_id,
            "mcp_server_id": server_id,
            "created_at": at,
            "updated_at": at,
        }

    def _create(self, request: httpx.Request, server_id: str) -> httpx.Response:
        user_id = json.loads(request.content)["user_id"]
        if self.script:
            return self._next(request)
        if (server_id, user_id) in self.instances:
            return refusal(409, "exists")
        self.instances.add((server_id, user_id))
        return httpx.Response(201, json=self.record(server_id, user_id))

    def _next(self, request: httpx.Request) -> httpx.Response:
        step = self.script.popleft()
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, httpx.Response) else step(request)

    def _session(self, request: httpx.Request, parts: list[str]) -> httpx.Response:
        if request.method == "GET":
            session_id = parts[-1]
            if session_id not in self.router_sessions:
                return refusal(404, "no such session")
            return httpx.Response(200, json=self.session_body(session_id))
        if self.script:
            return self._next(request)
        return httpx.Response(201, json=self.make_session(json.loads(request.content)))

    def make_session(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a session, and return the answer."""
        session_id = f"trs_{len(self.router_sessions) + 1}"
        self.router_sessions[session_id] = body
        return self.session_body(session_id)

    def session_body(self, session_id: str) -> dict[str, Any]:
        """Return the session as Composio shows it."""
        url = f"https://composio.invalid/tool_router/{session_id}/mcp"
        return {
            "session_id": session_id,
            "mcp": {"type": "http", "url": url},
            "config_version": 1,
            "warnings": [],
        }

    def _accounts(self, params: httpx.QueryParams) -> httpx.Response:
        items = list(self.accounts.values())
        for name, key in (
            ("user_ids", "user_id"),
            ("statuses", "status"),
            ("connected_account_ids", "id"),
        ):
            if name in params:
                items = [one for one in items if one[key] in params[name].split(",")]
        if "auth_config_ids" in params:
            wanted = params["auth_config_ids"].split(",")
            items = [one for one in items if one["auth_config"]["id"] in wanted]
        items.sort(key=lambda one: str(one["created_at"]), reverse=True)
        at = int(params.get("cursor", "0"))
        more = str(at + self.page) if at + self.page < len(items) else None
        return httpx.Response(200, json={"items": items[at : at + self.page], "next_cursor": more})

    def _server(self, server_id: str) -> dict[str, Any]:
        server = {"id": server_id, "name": "demo", "auth_config_ids": self.servers[server_id]}
        return server | {"mcp_url": self.urls.get(server_id)}


def refusal(status: int, message: str, **headers: str) -> httpx.Response:
    """Return Composio's error envelope."""
    error = {
        "message": message,
        "code": 1,
        "slug": f"Slug_{status}",
        "status": status,
        "request_id": "req_1",
        "suggested_fix": "mend it",
    }
    return httpx.Response(status, json={"error": error}, headers=headers)


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
        self.upstream = FakeComposio()
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
