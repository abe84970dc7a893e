"""The deployed application with its bus, queues and sweep, and ways to use them."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import batched
from typing import Any

import boto3

from handler.dynamodb import from_item
from local.emulated_stack import Stack
from local.simulator.client import Simulator
from provisioner import bus
from provisioner.stack import Stack as Operated
from tests.deployed.application import ALIAS, BOTH, INSTANCE, Deployed, event, until


class Finishing(Deployed):
    """A stack with its bus and its queues."""

    def __init__(self, stack: Stack, composio: Simulator) -> None:
        super().__init__(stack, composio)
        self.sqs = boto3.client("sqs", **stack.connection)
        self.events = boto3.client("events", **stack.connection)

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

    @contextlib.contextmanager
    def listening(self) -> Iterator[Callable[[], list[dict[str, Any]]]]:
        """Listen to the outcomes on the bus; yield a function that returns the new ones."""
        clients = {"dynamodb": self.dynamodb, "events": self.events, "sqs": self.sqs}
        outputs = {"BusName": self.stack.bus_name}
        operated = Operated(self.stack.stack_name, outputs, {}, clients.__getitem__)
        with bus.listening(operated) as (_, receive):
            yield lambda: list(itertools.chain.from_iterable(iter(lambda: receive(0), [])))

    def complete(self, *users: str, **more: str) -> list[bytes]:
        """Add all accounts of the users at Composio, and return their events."""
        seeds = [{"user_id": user, "auth_config_id": one} | more for user in users for one in BOTH]
        self.composio.add_accounts(seeds)
        return self.events_of(users)

    def events_of(self, users: Iterable[str]) -> list[bytes]:
        """Return the events of all accounts that the users have at Composio."""
        whose, accounts = set(users), self.composio.state()["accounts"]
        return [event(account) for account in accounts if account["user_id"] in whose]

    def queue(self, *bodies: str) -> None:
        """Send these messages to the queue, unchanged."""
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.stack.queue_url, MessageBody=body)

    def sweep(self) -> None:
        """Send the schedule's message."""
        self.queue('{"task": "sweep"}')

    def worker_log(self, since: float) -> str:
        """Return every line that the worker has logged since this Unix time."""
        return self.lines(self.stack.worker_log_group_name, since)

    def announcer_log(self, since: float) -> str:
        """Return every line that the announcer has logged since this Unix time."""
        return self.lines(self.stack.announcer_log_group_name, since)

    def sweep_until[T](self, true: Callable[[], T], what: str) -> T:
        """Run a sweep every other second until it is true."""
        sweep_at = time.monotonic()

        def swept() -> T:
            nonlocal sweep_at
            found = true()
            if not found and time.monotonic() >= sweep_at:
                self.sweep()
                sweep_at = time.monotonic() + 2
            return found

        return until(swept, what)

    def stop_the_clock(self) -> None:
        """From here on, a sweep runs only when a test sends one."""
        self.schedule_every("1 day")
        self.settle()  # a sweep that is queued already reads all of Composio's accounts

    def schedule_every(self, period: str) -> None:
        """Change how often the schedule has the sweep run."""
        self.events.put_rule(Name=self.sweep_rule(), ScheduleExpression=f"rate({period})")

    def sweep_rule(self) -> str:
        """Return the name of the rule that has the sweep run."""
        (rule,) = self.events.list_rules(NamePrefix=f"{self.stack.stack_name}-SweepRule")["Rules"]
        return rule["Name"]

    def settle(self) -> None:
        """Wait until the queue is empty; purge it if a message comes back again and again."""
        deadline = time.monotonic() + 30
        while not self.idle():
            if time.monotonic() > deadline:
                self.purge()
            time.sleep(0.05)

    def purge(self) -> None:
        """Remove all messages from the queue, also those that are hidden."""
        self.sqs.purge_queue(QueueUrl=self.stack.queue_url)

    def idle(self) -> bool:
        """Whether the queue is empty and no message of it is being handled."""
        return self.count(self.stack.queue_url) == 0

    def count(self, url: str) -> int:
        """Count all messages of a queue."""
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        counts = answer["Attributes"]
        return int(counts["ApproximateNumberOfMessages"]) + int(
            counts["ApproximateNumberOfMessagesNotVisible"]
        )

    def dead(self) -> int:
        """Count the messages in the dead-letter queue."""
        return self.count(self.stack.dead_letter_queue_url)

    def rows(self, users: Iterable[str], sk: str = INSTANCE) -> dict[str, dict[str, Any]]:
        """Return a row of each user; empty if there is none."""
        table, rows = self.stack.table_name, {user: dict[str, Any]() for user in users}
        for batch in batched(rows, 100, strict=False):
            keys = [{"pk": {"S": f"USER#{user}"}, "sk": {"S": sk}} for user in batch]
            found = self.dynamodb.batch_get_item(
                RequestItems={table: {"Keys": keys, "ConsistentRead": True}}
            )
            assert not found["UnprocessedKeys"]
            for item in found["Responses"][table]:
                rows[item["pk"]["S"].removeprefix("USER#")] = from_item(item)
        return rows

    def statuses(self, users: Iterable[str], sk: str = INSTANCE) -> dict[str, str]:
        """Return the status of each user's instance; "" if there is none."""
        return {user: str(row.get("status", "")) for user, row in self.rows(users, sk).items()}

    def all_ready(self, users: list[str], sk: str = INSTANCE) -> bool:
        """Whether the instance of each user is ready."""
        return set(self.statuses(users, sk).values()) == {"ready"}

    @contextlib.contextmanager
    def worker_paused(self) -> Iterator[None]:
        """Leave the messages in the queue for as long as the context lasts."""
        self._take_messages(yes=False)
        try:
            yield
        finally:
            self._take_messages(yes=True)

    def _take_messages(self, *, yes: bool) -> None:
        name = self.stack.worker_function_name
        (source,) = self.functions.list_event_source_mappings(FunctionName=f"{name}:{ALIAS}")[
            "EventSourceMappings"
        ]
        self.functions.update_event_source_mapping(UUID=source["UUID"], Enabled=yes)


def make_due(finishing: Finishing, user: str) -> None:
    """Make the user's instance due now, unless it is due no more."""
    with contextlib.suppress(finishing.dynamodb.exceptions.ConditionalCheckFailedException):
        finishing.dynamodb.update_item(
            TableName=finishing.stack.table_name,
            Key={"pk": {"S": f"USER#{user}"}, "sk": {"S": INSTANCE}},
            UpdateExpression="SET due_at = :past",
            ConditionExpression="attribute_exists(due_at)",
            ExpressionAttributeValues={":past": {"N": "1"}},
        )
