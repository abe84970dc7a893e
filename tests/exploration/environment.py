"""One execution environment: the real objects of a function, and what of them is memory."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import httpx
from botocore.exceptions import ClientError
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_secretsmanager import SecretsManagerClient
from mypy_boto3_sqs import SQSClient

from handler.bookmarks import Bookmarks
from handler.callback import Callback
from handler.catalog import Catalog
from handler.composio import Composio
from handler.creation import Creation
from handler.credentials import Credentials
from handler.dynamodb import Store
from handler.provisioning import Provisioning
from handler.sweep import Sweep
from handler.table import Table
from handler.tasks import Queue
from handler.transport import Transport
from handler.users import Users
from handler.webhook import Webhook
from handler.worker import Worker
from tests.exploration import clients
from tests.exploration.points import Fault, Killed, Point

if TYPE_CHECKING:
    from tests.exploration.state import Memory, State
    from tests.exploration.system import System

KILLED_LATE_SECONDS = 0.7
"""How long after its time a function was seen to live on (Powertools issue 4759)."""


class Environment:
    """The doors over the clients of `system`; `name` is who makes the calls."""

    def __init__(self, system: "System", name: str) -> None:
        self.system = system
        self.name = name
        self.ends = float("inf")
        self.begun = False
        self._build()
        self._initial = [_held(one) for one in self._remembering]

    @property
    def state(self) -> "State":
        return self.system.state

    def _build(self) -> None:
        def clock() -> float:
            return self.system.state.now

        http = clients.Http(clients.Composio(self))
        secrets = cast("SecretsManagerClient", clients.SecretsManager(self))
        credentials = Credentials(secrets, "secret", clock=clock)
        store = Store(cast("DynamoDBClient", clients.DynamoDB(self)), "table")
        composio = Composio(Transport(lambda: http, credentials, clock=clock))
        bookmarks = Bookmarks(store)
        catalog = Catalog(bookmarks, composio, self.system.enrolled, clock=clock)
        table = Table(store)
        creation = Creation(table, composio, clock=clock, jitter=lambda: 1.0, token=self._token)
        provisioning = Provisioning(table, composio, catalog, creation)
        queue = Queue(cast("SQSClient", clients.Sqs(self)), "queue")
        sweep = Sweep(
            bookmarks, composio, catalog, provisioning, queue, clock=clock, token=self._token
        )
        self.webhook = Webhook(
            credentials,
            provisioning,
            Callback(composio, provisioning, catalog, table, "", clock=clock),
            Users(table, catalog, composio, provisioning),
            clock=clock,
        )
        self.worker = Worker(provisioning, sweep, queue, clock=clock)
        self._remembering = (credentials, catalog, creation)

    def _token(self) -> str:
        tokens = self.state.tokens
        number = tokens.get(self.name, 0) + 1
        self.state.tokens = {**tokens, self.name: number}
        return f"token-{self.name}-{number}"

    def memory(self) -> "Memory":
        """What has changed in memory since the environment began."""
        return tuple(
            {name: value for name, value in _held(one).items() if value is not initial[name]}
            for one, initial in zip(self._remembering, self._initial, strict=True)
        )

    def remember(self, memory: "Memory | None" = None) -> None:
        """Have this in memory; nothing in a new environment."""
        each = memory or ({},) * len(self._initial)
        for one, initial, known in zip(self._remembering, self._initial, each, strict=True):
            vars(one).update({**initial, **known})

    def call[T](
        self,
        kind: str,
        name: str,
        effect: Callable[[], T],
        *,
        refused: Callable[[], Exception],
        lost: Callable[[], Exception],
        twice: Callable[[], T] | None = None,
        ignored: Callable[[], T] | None = None,
        late: Callable[[], None] | None = None,
    ) -> T:
        """Make one call, and have happen to it what is chosen."""
        make = partial(
            self._make,
            Point(self.name, kind, name),
            effect,
            refused=refused,
            lost=lost,
            twice=twice,
            ignored=ignored,
            late=late,
        )
        if self.system.noted is None:
            return make()
        try:
            answer = make()
        except Exception as error:
            self.system.noted(self.name, repr(error))
            raise
        text = answer.text if isinstance(answer, httpx.Response) else repr(answer)
        self.system.noted(self.name, text)
        return answer

    def _make[T](
        self,
        point: Point,
        effect: Callable[[], T],
        *,
        refused: Callable[[], Exception],
        lost: Callable[[], Exception],
        twice: Callable[[], T] | None,
        ignored: Callable[[], T] | None,
        late: Callable[[], None] | None,
    ) -> T:
        fault = self.system.choose(point)
        if self.state.now > self.ends + KILLED_LATE_SECONDS:
            raise Killed
        match fault:
            case Fault.REFUSED:
                raise refused()
            case Fault.DIES_BEFORE:
                raise Killed
            case Fault.LOST | Fault.DIES_AFTER:
                with suppress(ClientError):
                    effect()
                raise lost() if fault is Fault.LOST else Killed
            case Fault.LATE if late:
                late()
                raise lost()
            case Fault.TWICE if twice:
                return twice()
            case Fault.IGNORED if ignored:
                return ignored()
        return effect()


def _held(one: Any) -> dict[str, Any]:
    return {field.name: getattr(one, field.name) for field in fields(one)}
