"""The operator of a deployed stack: runs `provisioner`, and breaks what it has to find."""

import json
import time
from collections.abc import Mapping
from typing import Any

import boto3
import httpx
from typer.testing import CliRunner, Result

from handler.catalog_table import catalog_key, server_to_row
from handler.dynamodb import to_item
from handler.targets import Target
from handler.walk_table import RECENT, walk_key
from local.emulator import aws_environment
from local.simulator.project import DEFAULT_API_KEY
from provisioner.main import app
from tests.deployed.application import ALIAS, BOTH, SERVER, publish
from tests.deployed.finishing import Finishing
from tests.world import TARGET

ACCOUNT_EVENT = "composio.connected_account.expired"


class Operator:
    """Operates the stack `at`."""

    def __init__(self, at: Finishing) -> None:
        self.at = at
        self.environment = aws_environment(at.stack.aws_endpoint_url) | {
            "PROVISIONER_STACK": at.stack.stack_name,
            "COLUMNS": "80",
            "NO_COLOR": "1",
        }

    def run(self, *arguments: str, code: int = 0, says: str | None = None) -> Result:
        """Run `provisioner`, which must end with this exit code; `says` is what is typed."""
        ended = CliRunner().invoke(app, arguments, env=self.environment, input=says)
        if ended.exception and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        assert ended.exit_code == code, ended.output
        return ended

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run it as a script does, and return its result."""
        return json.loads(self.run("--json", *arguments, code=code).stdout)

    def fail(self, *users: str) -> None:
        """Have the instances of these users fail, although they have all accounts."""
        self.at.composio.add_fault(
            method="POST", path="*/instances", status=422, times=None, message="No more instances"
        )
        for user in users:
            assert self.at.connect(user, *BOTH).instance == ("failed", [])
        self.at.composio.clear_faults()

    def subscription(self, method: str = "GET", **body: Any) -> Any:
        """Return the one subscription at Composio, having changed it with POST or PATCH."""
        url = f"{self.at.composio.url}/api/v3/webhook_subscriptions"
        key = {"x-api-key": DEFAULT_API_KEY}
        (found, *_) = httpx.get(url, headers=key).json()["items"] or [None]
        if method == "POST":
            return httpx.post(url, headers=key, json=body).raise_for_status().json()
        if method == "PATCH":
            where = f"{url}/{found['id']}"
            return httpx.patch(where, headers=key, json=body).raise_for_status().json()
        return found

    def secret(self) -> dict[str, Any]:
        """Return what is in Secrets Manager."""
        client = boto3.client("secretsmanager", **self.at.stack.connection)
        text = client.get_secret_value(SecretId=self.at.stack.secret_id)["SecretString"]
        return dict(json.loads(text))

    def schedule(self, *, runs: bool) -> None:
        """Enable the rule that has the sweep run, or disable it."""
        change = self.at.events.enable_rule if runs else self.at.events.disable_rule
        change(Name=self.at.sweep_rule())

    def account_rule(self, *, enabled: bool) -> None:
        """Enable the rule that takes account events from the bus, or disable it."""
        bus = self.at.stack.bus_name
        change = self.at.events.enable_rule if enabled else self.at.events.disable_rule
        for rule in self.at.events.list_rules(EventBusName=bus)["Rules"]:
            change(Name=rule["Name"], EventBusName=bus)

    def announcer(self, *, enabled: bool) -> None:
        """Enable the source that feeds the announcer, or disable it."""
        name = f"{self.at.stack.announcer_function_name}:{ALIAS}"
        found = self.at.functions.list_event_source_mappings(FunctionName=name)
        (source,) = found["EventSourceMappings"]
        self.at.functions.update_event_source_mapping(UUID=source["UUID"], Enabled=enabled)

    def release(self, name: str) -> None:
        """Have a version of the worker run that has this Release."""
        function = self.at.stack.worker_function_name
        running = self.at.functions.get_function_configuration(
            FunctionName=function, Qualifier=ALIAS
        )
        if running["Environment"]["Variables"]["RELEASE"] != name:
            publish(self.at, function, RELEASE=name)

    def swept(self, ago: int, *, held: int = 0) -> None:
        """Record a pass that began so many seconds ago and holds its lease for `held` more."""
        now = int(time.time())
        self.put({**walk_key(RECENT), "read_until": now - ago, "lease_until": now + held})

    def put(self, row: Mapping[str, Any]) -> None:
        """Write a row."""
        self.at.dynamodb.put_item(TableName=self.at.stack.table_name, Item=to_item(row))

    def forget_deliveries(self) -> None:
        """Empty the webhook's log, in which doctor looks for deliveries that were rejected."""
        group = self.at.stack.webhook_log_group_name
        pages = self.at.logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
        for stream in [stream for page in pages for stream in page["logStreams"]]:
            name = stream["logStreamName"]
            self.at.logs.delete_log_stream(logGroupName=group, logStreamName=name)

    def put_right(self) -> None:
        """Make all well: no user in the table, no back-fill, no message, no rejected delivery."""
        self.schedule(runs=True)
        self.account_rule(enabled=True)
        self.announcer(enabled=True)
        self.release("1")
        self.at.settle()
        for url in (self.at.stack.queue_url, self.at.stack.dead_letter_queue_url):
            self.at.sqs.purge_queue(QueueUrl=url)
        for pk, sk in self.at.scan():
            if pk.startswith(("USER#", "SWEEP")):
                key = to_item({"pk": pk, "sk": sk})
                self.at.dynamodb.delete_item(TableName=self.at.stack.table_name, Key=key)
        self.forget_deliveries()
        self.at.composio.reset()
        self.at.api_key, self.at.secrets = DEFAULT_API_KEY, [self.at.stack.webhook_secret]
        self.at.put_secret()
        self.put(catalog_key(TARGET) | server_to_row(Target(SERVER, frozenset(BOTH))))
        self.swept(0)
