"""The side of the deployed application that nobody waits for, and verbs to try it."""

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import batched
from typing import Any

import boto3

from local import messages
from local.simulator.client import Simulator
from local.stack import Stack
from tests.deployed import ALIAS, BOTH, PATIENCE_SECONDS, Deployed, event

LISTENER = "listener"


class Finishing(Deployed):
    """A stack with its bus and its queues."""

    def __init__(self, stack: Stack, composio: Simulator) -> None:
        super().__init__(stack, composio)
        self.sqs = boto3.client("sqs", **stack.connection)
        self.events = boto3.client("events", **stack.connection)
        self._ear = ""

    def close(self) -> None:
        """Close the connections."""
        self.sqs.close()
        self.events.close()
        super().close()

    def put(self, details: Iterable[bytes], source: str = "my-application") -> None:
        """Put events with these details on the bus."""
        for batch in batched(details, 10, strict=False):
            answer = self.events.put_events(
                Entries=[
                    {
                        "Source": source,
                        "DetailType": "Connected Account Active",
                        "Detail": detail.decode(),
                        "EventBusName": self.stack.bus_name,
                    }
                    for detail in batch
                ]
            )
            assert answer["FailedEntryCount"] == 0

    def complete(self, *users: str) -> list[bytes]:
        """Let the users have all accounts at Composio, and return the events that tell of them."""
        seeds = [{"user_id": user, "auth_config_id": one} for user in users for one in BOTH]
        self.composio.add_accounts(seeds)
        return self.events_of(users)

    def events_of(self, users: Iterable[str]) -> list[bytes]:
        """Return the events that tell of all accounts that the users have at Composio."""
        whose, accounts = set(users), self.composio.state()["accounts"]
        return [event(account) for account in accounts if account["user_id"] in whose]

    def queue(self, *bodies: str) -> None:
        """Send messages to the queue, as they are."""
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.stack.queue_url, MessageBody=body)

    def sweep(self) -> None:
        """Send the schedule's message."""
        self.queue(messages.SWEEP)

    def sweeps_run(self) -> int:
        """Count the sweeps that the worker's metrics tell of."""
        told = re.findall(r'"SweepRun":\[([^]]+)\]', self.worker_log())
        return sum(len(each.split(",")) for each in told)

    def worker_log(self) -> str:
        """Return every line that the worker has logged."""
        return self._log(self.stack.worker_log_group_name)

    def announcer_log(self) -> str:
        """Return every line that the announcer has logged."""
        return self._log(self.stack.announcer_log_group_name)

    def _log(self, group: str) -> str:
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return "\n".join(line["message"] for page in pages for line in page["events"])

    def sweep_until[T](self, true: Callable[[], T], what: str, patience: float = 0) -> T:
        """Run a sweep every other second until it is true."""
        deadline = time.monotonic() + PATIENCE_SECONDS + patience
        while not (found := true()):
            assert time.monotonic() < deadline, f"in vain: {what}"
            self.sweep()
            time.sleep(2)
        return found

    def stand_still(self) -> None:
        """Let time stand still: from here on a sweep is run where a test says so."""
        for rule in self.events.list_rules(NamePrefix=f"{self.stack.stack_name}-")["Rules"]:
            self.events.disable_rule(Name=rule["Name"])
        self.settle()  # a tick that was on its way reads all of Composio's accounts

    def settle(self) -> None:
        """Wait until the worker has nothing in hand; forget what would only come back later."""
        deadline = time.monotonic() + PATIENCE_SECONDS / 2
        while not self.idle() and time.monotonic() < deadline:
            time.sleep(0.05)
        if not self.idle():
            self.sqs.purge_queue(QueueUrl=self.stack.queue_url)

    def idle(self) -> bool:
        """Whether no message waits or is worked on."""
        return messages.look(self.stack)["queue"] == {"waiting": 0, "in_work": 0}

    def count(self, url: str) -> int:
        """Count all messages of a queue."""
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        counts = answer["Attributes"]
        return int(counts["ApproximateNumberOfMessages"]) + int(
            counts["ApproximateNumberOfMessagesNotVisible"]
        )

    def dead(self) -> int:
        """Count the messages in the dead-letter queue."""
        return messages.look(self.stack)["dead_letter_queue"]["waiting"]

    def statuses(self, users: Iterable[str]) -> dict[str, str]:
        """Return the status of each user's instance, "" where there is none."""
        found = {pk: json.loads(item) for (pk, sk), item in self.scan().items() if "#" in sk}
        rows = {user: found.get(f"USER#{user}", {}) for user in users}
        return {user: row.get("status", {}).get("S", "") for user, row in rows.items()}

    def all_ready(self, users: list[str]) -> bool:
        """Whether the instance of each of them is ready."""
        return set(self.statuses(users).values()) == {"ready"}

    @contextlib.contextmanager
    def worker_paused(self) -> Iterator[None]:
        """Let the messages wait for as long as the context lasts."""
        self._take_messages(yes=False)
        try:
            yield
        finally:
            self._take_messages(yes=True)

    def listen(self, pattern: str) -> None:
        """From here on hear what the pattern takes of the bus."""
        self._ear = self.sqs.create_queue(QueueName=f"{LISTENER}-{time.time_ns()}")["QueueUrl"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self._ear, AttributeNames=["QueueArn"])
        where = self.stack.bus_name
        self.events.put_rule(Name=LISTENER, EventBusName=where, EventPattern=pattern)
        arn = answer["Attributes"]["QueueArn"]
        self.events.put_targets(
            Rule=LISTENER, EventBusName=where, Targets=[{"Id": "queue", "Arn": arn}]
        )

    def heard(self) -> list[dict[str, Any]]:
        """Return the events that were heard since it was last asked."""
        found = []
        while told := self.sqs.receive_message(
            QueueUrl=self._ear, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages"):
            for message in told:
                found.append(json.loads(message["Body"]))
                receipt = message["ReceiptHandle"]
                self.sqs.delete_message(QueueUrl=self._ear, ReceiptHandle=receipt)
        return found

    def _take_messages(self, *, yes: bool) -> None:
        name = self.stack.worker_function_name
        (source,) = self.functions.list_event_source_mappings(FunctionName=f"{name}:{ALIAS}")[
            "EventSourceMappings"
        ]
        self.functions.update_event_source_mapping(UUID=source["UUID"], Enabled=yes)
