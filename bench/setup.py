"""AWS and Composio on loopback, and the users whom the events are about."""

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from bench import samples
from bench.running import Function, Subject, running
from bench.stub import TABLE, Aws, Call, serving
from local.emulator import REGION, aws_environment
from local.simulator.client import Simulator
from local.simulator.process import running as simulator
from local.simulator.project import DEFAULT_API_KEY


@dataclass(frozen=True)
class Measured:
    """What one event took: processor seconds, calls to AWS and to Composio."""

    cpu_seconds: float
    aws: tuple[Call, ...]
    composio: tuple[dict[str, Any], ...]

    @property
    def reads(self) -> float:
        """Read capacity units."""
        return sum(call.reads for call in self.aws)

    @property
    def writes(self) -> float:
        """Write capacity units."""
        return sum(call.writes for call in self.aws)

    @property
    def trips(self) -> tuple[int, int, int]:
        """Round trips to DynamoDB, to the rest of AWS and to Composio."""
        table = sum(call.service == "DynamoDB" for call in self.aws)
        return table, len(self.aws) - table, len(self.composio)


class Setup:
    """One AWS and one Composio for all that is measured beside each other."""

    def __init__(self, aws: Aws, composio: Simulator) -> None:
        self.aws = aws
        self.composio = composio

    def _environment(self, subject: Subject) -> dict[str, str]:
        """Return the whole environment of a function: Lambda's, our settings and the peers'."""
        return {
            **aws_environment(self.aws.url),
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            # Sets and so instructions come out the same in each run.
            "PYTHONHASHSEED": "0",
            "AWS_SESSION_TOKEN": "test",
            "AWS_REGION": REGION,
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "AWS_LAMBDA_LOG_LEVEL": "INFO",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "LAMBDA_TASK_ROOT": str(subject.packages[-1]),
            "TABLE_NAME": TABLE,
            "SECRET_ID": "secret",
            "QUEUE_URL": f"{self.aws.url}/queue",
            "BUS_NAME": "bus",
            "COMPOSIO_BASE_URL": self.composio.url,
            "MCP_SERVER_IDS": samples.SERVER,
            # Settings of the peers, which therefore need not ask Composio.
            "REQUIRED_AUTH_CONFIG_IDS": f"{samples.GMAIL},{samples.SLACK}",
            "WEBHOOK_SECRET": samples.WEBHOOK_SECRET,
            "COMPOSIO_API_KEY": DEFAULT_API_KEY,
            "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:9",
            "_X_AMZN_TRACE_ID": "Root=1-00000000-000000000000000000000000;Sampled=0",
            **subject.environment,
        }

    def start(
        self, subject: Subject, *, counted: bool = False, modules: bool = False
    ) -> AbstractContextManager[Function]:
        """Start a new execution environment of the function."""
        return running(subject, self._environment(subject), counted=counted, modules=modules)

    def begin(self, subject: Subject, number: int) -> None:
        """Start over: an empty table, and this many users of each kind with their earlier events.

        The function itself takes those events, so the table holds what it would.
        """
        self.aws.reset()
        self.composio.reset()
        users = [(kind, user) for kind in samples.KINDS for user in samples.users(kind, number)]
        with self.start(subject) as function:
            # The first event makes the function store the catalog.
            self._connect(function, subject, samples.GMAIL, [("incomplete", "first"), *users])
            self._connect(function, subject, samples.SLACK, users)
        self.aws.take()
        self.composio.clear_ledger()

    def _connect(
        self,
        function: Function,
        subject: Subject,
        auth_config_id: str,
        users: list[tuple[str, str]],
    ) -> None:
        concerned = [(kind, user) for kind, user in users if auth_config_id in samples.HAVE[kind]]
        samples.connect(self.composio, auth_config_id, [user for _, user in concerned])
        for kind, user in concerned:
            if auth_config_id in samples.TOLD[kind] or user == "first":
                content = samples.envelope(user, auth_config_id)
                event = samples.batch(content) if subject.queued else samples.delivery(content)
                function.send(event)

    def invoke(self, function: Function, event: object) -> Measured:
        """Send an event, and return what it took."""
        seconds, _ = function.send(event)
        calls = self.composio.ledger()
        self.composio.clear_ledger()
        return Measured(seconds, tuple(self.aws.take()), tuple(calls))


@contextmanager
def started() -> Iterator[Setup]:
    """Start AWS and Composio."""
    secret = {"composio_api_key": DEFAULT_API_KEY, "webhook_secrets": [samples.WEBHOOK_SECRET]}
    with serving(json.dumps(secret)) as aws, simulator("--seed", "demo") as composio:
        yield Setup(aws, composio)
