"""One execution environment: the real objects of a function, and what of them is memory."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
from botocore.exceptions import ClientError

from handler import services, webhook, worker
from handler.catalog import MEMORY_SECONDS
from handler.services import Sources
from handler.settings import Settings
from tests.exploration import clients, composio
from tests.exploration.faults import Fault, FaultPoint, Killed

if TYPE_CHECKING:
    from tests.exploration.state import Memory, State
    from tests.exploration.system import System

KILLED_LATE_SECONDS = 0.7
"""How long after its time a function was seen to live on (Powertools issue 4759)."""


class Environment:
    """The entry points over the clients of `system`; `name` is who makes the calls."""

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
        aws: dict[str, clients.Client] = {
            "secretsmanager": clients.SecretsManager(self),
            "dynamodb": clients.DynamoDB(self),
            "sqs": clients.Sqs(self),
        }
        http = composio.Http(composio.Composio(self))
        sources = Sources(
            aws.__getitem__,
            lambda _: http,
            clock=lambda: self.system.state.now,
            jitter=lambda: 1.0,
            token=self._token,
        )
        settings = Settings(
            table_name="table",
            secret_id="secret",
            queue_url="queue",
            bus_name="bus",
            composio_base_url="https://composio.invalid",
            mcp_server_ids=self.state.enrolled,
        )
        wired = services.wire(settings, sources)
        self.webhook, self.worker = webhook.wire(wired), worker.wire(wired)
        self._catalog = wired.catalog
        self._remembering = (wired.credentials, wired.catalog)

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

    def load_memory(self, memory: "Memory | None" = None) -> None:
        """Have this in memory; nothing in a new environment."""
        each = memory or ({},) * len(self._initial)
        for one, initial, known in zip(self._remembering, self._initial, each, strict=True):
            vars(one).update({**initial, **known})

    def ignores(self, auth: str) -> bool:
        """Whether its memory of the catalog says that nothing requires this auth config."""
        catalog = self._catalog
        if catalog.clock() - catalog._read_at >= MEMORY_SECONDS:
            return False
        view = catalog.known()
        return view.up_to_date and not view.requiring(auth)

    def call[T](self, kind: str, name: str, effect: Callable[[], T], **faults: Any) -> T:
        """Make one call, and have happen to it what is chosen; `faults` are those of `_make`."""
        make: Callable[[], T] = partial(
            self._make, FaultPoint(self.name, kind, name), effect, **faults
        )
        if self.system.on_answer is None:
            return make()
        try:
            answer = make()
        except Exception as error:
            self.system.on_answer(self.name, repr(error))
            raise
        text = answer.text if isinstance(answer, httpx.Response) else repr(answer)
        self.system.on_answer(self.name, text)
        return answer

    def _make[T](
        self,
        point: FaultPoint,
        effect: Callable[[], T],
        *,
        refused: Callable[[], Exception],
        lost: Callable[[], Exception],
        twice: Callable[[], T] | None = None,
        ignored: Callable[[], T] | None = None,
        late: Callable[[], None] | None = None,
        odd: Callable[[Fault], T] | None = None,
    ) -> T:
        fault = self.system.choose(point)
        if fault is Fault.DIES_BEFORE or self.state.now > self.ends + KILLED_LATE_SECONDS:
            raise Killed
        match fault:
            case Fault.REFUSED:
                raise refused()
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
            case Fault() if odd:
                return odd(fault)
        return effect()


def _held(one: Any) -> dict[str, Any]:
    return {field.name: getattr(one, field.name) for field in fields(one)}
