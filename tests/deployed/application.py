"""The application as it runs on the emulator with a simulated Composio, and ways to use it."""

import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from handler.dynamodb import from_item
from local.emulated_stack import Stack, fill_secret
from local.simulator.client import Simulator
from local.simulator.project import DEFAULT_API_KEY
from tests.deployed.delivery import signed

SERVER, GMAIL, SLACK = "srv_demo", "ac_gmail", "ac_slack"
BOTH = (GMAIL, SLACK)
INSTANCE = f"INSTANCE#{SERVER}"
PATIENCE_SECONDS = 180
"""Only a test that fails waits for so long, however slow the machine is."""
ALIAS = "live"
ROOT = Credentials("test", "test")
_numbers = itertools.count(1)


def someone(name: str) -> str:
    """Return a user id that no other test has."""
    return f"{name}-{next(_numbers)}"


def until[T](true: Callable[[], T], what: str) -> T:
    """Poll until it is true, and return it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)
    return found


def event(account: Mapping[str, Any], **changes: Any) -> bytes:
    """Return the body of the event about an account that Composio's API shows so."""
    kind = f"composio.connected_account.{account['status'].lower()}"
    content = {"id": "msg_1", "type": kind, "metadata": {}, "data": {**account, **changes}}
    return json.dumps({**content, "timestamp": "2026-01-01T00:00:00.000000Z"}).encode()


def missing(server: Mapping[str, Any]) -> list[str]:
    """Return the auth configs that are missing, according to the answer about one server."""
    return [one["auth_config_id"] for one in server["missing"]]


@dataclass(frozen=True)
class Answer:
    """What the webhook answered."""

    status: int
    body: Any

    @property
    def instance(self) -> tuple[str, list[str]]:
        """The status of the one server that the event concerned, and what is missing there."""
        (one,) = self.body["targets"]
        assert one["server_id"] == SERVER
        return one["status"], missing(one)


class Deployed:
    """A deployed stack; `secrets` are the webhook secrets that it accepts."""

    def __init__(self, stack: Stack, composio: Simulator) -> None:
        self.stack = stack
        self.composio = composio
        self.api_key = DEFAULT_API_KEY
        self.secrets = [stack.webhook_secret]
        self.dynamodb = boto3.client("dynamodb", **stack.connection)
        self.functions = boto3.client("lambda", **stack.connection)
        self.logs = boto3.client("logs", **stack.connection)
        self.iam = boto3.client("iam", **stack.connection)
        self._http = httpx.Client(timeout=60, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        for client in (self.dynamodb, self.functions, self.logs, self.iam):
            client.close()

    def post(self, body: bytes, headers: Any) -> httpx.Response:
        """Send this to the webhook, as it is."""
        url = f"{self.stack.api_url}/webhooks/composio"
        return self._http.post(url, content=body, headers=headers)

    def send(self, body: bytes, secret: str = "") -> Answer:
        """Send a signed delivery."""
        response = self.post(body, signed(body, secret or self.secrets[0]))
        return Answer(response.status_code, response.json())

    def ask(
        self,
        user_id: str,
        method: str = "GET",
        below: str = "",
        *,
        who: Credentials | None = ROOT,
        known: str = "",
    ) -> httpx.Response:
        """Call `/users/{user_id}` or a route below it, signed as AWS's own clients sign."""
        url = f"{self.stack.api_url}/users/{quote(user_id, safe='')}{below}"
        request = AWSRequest(method, url, {"if-none-match": known} if known else {})
        if who:
            SigV4Auth(who, "execute-api", self.stack.region).add_auth(request)
        return self._http.request(method, url, headers=dict(request.headers))

    def account(self, user_id: str, auth_config_id: str, **more: Any) -> dict[str, Any]:
        """Add an account of the user at Composio, and return it as the API shows it."""
        return self.show(self.composio.add_account(user_id, auth_config_id, **more))

    def show(self, account_id: str) -> dict[str, Any]:
        """Return an account as the API shows it."""
        url = f"{self.composio.url}/api/v3/connected_accounts/{account_id}"
        answer = self._http.get(url, headers={"x-api-key": self.api_key}).raise_for_status()
        return dict(answer.json())

    def connect(self, user_id: str, *auth_config_ids: str, **more: Any) -> Answer:
        """Add these accounts of the user one by one, and send the event of each."""
        answers = [self.send(event(self.account(user_id, one, **more))) for one in auth_config_ids]
        return answers[-1]

    def item(self, user_id: str, sk: str = INSTANCE) -> str:
        """Return a row of a user in DynamoDB's JSON; `{}` if there is none."""
        key = {"pk": {"S": f"USER#{user_id}"}, "sk": {"S": sk}}
        found = self.dynamodb.get_item(
            TableName=self.stack.table_name, Key=key, ConsistentRead=True
        ).get("Item", {})
        return json.dumps(found, sort_keys=True)

    def row(self, user_id: str, sk: str = INSTANCE) -> dict[str, Any]:
        """Return a row of a user; empty if there is none."""
        return from_item(json.loads(self.item(user_id, sk)))

    def scan(self) -> dict[tuple[str, str], str]:
        """Return the whole table: each row in DynamoDB's JSON, by its key."""
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.stack.table_name, ConsistentRead=True
        )
        return {
            (item["pk"]["S"], item["sk"]["S"]): json.dumps(item, sort_keys=True)
            for page in pages
            for item in page["Items"]
        }

    def posts(self, user_id: str) -> dict[str, Any]:
        """Return what the simulator's ledger says about the user's create calls."""
        found = self.composio.instance_posts(user_id)
        return found[0] if found else {"posts": 0, "created": 0, "max_in_flight": 0}

    def record(self, user_id: str) -> dict[str, Any]:
        """Return the one instance that the simulator holds for the user."""
        (one,) = [
            found for found in self.composio.state()["instances"] if found["instance_id"] == user_id
        ]
        return dict(one)

    def log(self, since: float = 0) -> str:
        """Return every line that the function has logged since this Unix time."""
        return self.lines(self.stack.webhook_log_group_name, since)

    def lines(self, log_group: str, since: float) -> str:
        """Return every line of a log group since this Unix time."""
        read, start = self.logs.get_paginator("filter_log_events"), int(since * 1000)
        pages = read.paginate(logGroupName=log_group, startTime=start)
        return "\n".join(line["message"] for page in pages for line in page["events"])

    def put_secret(self, *webhook_secrets: str, api_key: str = "") -> None:
        """Rotate what is given, without notice to the deployed function."""
        self.api_key = api_key or self.api_key
        self.secrets = list(webhook_secrets) or self.secrets
        fill_secret(
            self.stack.aws_endpoint_url,
            self.stack.secret_id,
            composio_api_key=self.api_key,
            webhook_secrets=self.secrets,
        )

    def environment(self) -> dict[str, str]:
        """Return the environment that the template gives to the function."""
        name = self.stack.webhook_function_name
        found = self.functions.get_function_configuration(FunctionName=name)
        return found["Environment"]["Variables"]

    def renew(self, **changes: str) -> None:
        """Start a new execution environment, which has nothing in memory."""
        publish(self, self.stack.webhook_function_name, **changes)

    def put_back(self) -> None:
        """Undo the rotations."""
        if (self.api_key, self.secrets) != (DEFAULT_API_KEY, [self.stack.webhook_secret]):
            self.put_secret(self.stack.webhook_secret, api_key=DEFAULT_API_KEY)
            self.renew()


def publish(deployed: Deployed, function: str, **changes: str) -> str:
    """Publish a function with this environment behind the alias, and return the version."""
    client = deployed.functions

    def updated() -> bool:
        found = client.get_function_configuration(FunctionName=function)
        return found["LastUpdateStatus"] == "Successful"

    found = client.get_function_configuration(FunctionName=function)
    # Without a change nothing would be published.
    changed = found["Environment"]["Variables"] | changes | {"_PUBLISHED": str(next(_numbers))}
    client.update_function_configuration(FunctionName=function, Environment={"Variables": changed})
    until(updated, "the function is updated")
    version = client.publish_version(FunctionName=function)["Version"]
    client.update_alias(FunctionName=function, Name=ALIAS, FunctionVersion=version)
    return version
