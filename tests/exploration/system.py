"""The handler's functions with everything around them: table, queue, Composio and senders."""

import json
from collections.abc import Callable, Collection
from copy import copy
from typing import Any, ClassVar, NamedTuple, cast

import httpx
from botocore.exceptions import ClientError

from handler.account_table import ACCOUNTS
from handler.catalog import MEMORY_SECONDS
from handler.catalog_table import CATALOG, CatalogTable, catalog_key
from handler.dynamodb import Table, from_item
from handler.targets import session_profile
from handler.walk_table import WalkTable
from tests.doubles import refusal
from tests.exploration.environment import Environment
from tests.exploration.faults import ODD, REFUSALS, Chooser, Fault, FaultPoint, Killed
from tests.exploration.fingerprint import fingerprint, shown
from tests.exploration.inputs import envelope, record, request
from tests.exploration.promises import Rows, check_acknowledged, check_change
from tests.exploration.state import SESSION, Fact, Message, State
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.requests import service_error
from tests.upstream import FakeComposio
from tests.world import API_KEY, PROFILE, SECRET, SERVER

WEBHOOK_SECONDS, WORKER_SECONDS, BATCH = 25, 30, 5
"""Of the functions in the template."""


class Snapshot(NamedTuple):
    state: State
    table: Any


class System:
    """The handler in its execution environments, and one `State` that it works on."""

    running: ClassVar["System"]
    """The system whose metrics are counted."""

    def __init__(self, *enrolled: str) -> None:
        self.state = State(enrolled=",".join(enrolled or (SERVER,)))
        self.secret = {"composio_api_key": API_KEY, "webhook_secrets": [SECRET]}
        self.db = FakeDynamoDB("table")
        self.chooser: Chooser = lambda _: None
        self.on_answer: Callable[[str, str], None] | None = None
        """Called with the result of every call, if set."""
        self._upstream = FakeComposio({}, PROFILE.toolkits)
        self._environments: dict[tuple[str, str], Environment] = {}
        self.empty = self.snapshot()
        System.running = self

    def environment(self, name: str) -> Environment:
        """Return the execution environment of this name, created if need be."""
        key = (name, self.state.enrolled)
        if key not in self._environments:
            self._environments[key] = Environment(self, name)
        return self._environments[key]

    def enrol(self, *servers: str) -> None:
        """Deploy with these servers enrolled, which replaces every execution environment."""
        self.state.enrolled = ",".join(servers)
        for environment in self._environments.values():
            environment.load_memory()

    def fill(self, user: str) -> None:
        """Fill the item of a user's accounts, so that none can be added."""
        self.state.full_users |= {user}
        key = {"pk": {"S": f"USER#{user}"}, "sk": {"S": ACCOUNTS}}
        self.db.rows[key["pk"]["S"]] = {ACCOUNTS: key}

    def choose(self, point: FaultPoint) -> Fault | None:
        """Choose the fault at this point; a late write may be applied before it."""
        if self.state.late_writes:
            late = FaultPoint(point.who, "late", "the late write")
            if self.chooser(late) is Fault.ARRIVES and self.state.late_writes:
                self.apply_late_write()
        fault = self.chooser(point)
        self.state.faults += fault is not None
        if fault in ODD:
            self.state.odd_answer_at = self.state.now
        self.state.refused |= fault in REFUSALS and point.kind == "create is answered"
        return fault

    def apply_late_write(self) -> None:
        """Apply the oldest late write; its answer goes to nobody."""
        (method, request), *rest = self.state.late_writes
        self.state.late_writes = tuple(rest)
        try:
            self.write(method, request)
        except ClientError:
            return

    def write(self, method: str, request: Any) -> Any:
        """Run a call to the table, and check what it changed."""
        if self.state.full_users and method == "update_item":
            user, sort_key = (one["S"] for one in request["Key"].values())
            if sort_key == ACCOUNTS and user.removeprefix("USER#") in self.state.full_users:
                raise service_error("UpdateItem", "ValidationException", "Item size has exceeded")
        try:
            return getattr(self.db, method)(**request)
        finally:
            self.db.calls.clear()
            for old, new in self.db.stream:
                check_change(old or {}, new or {}, self.state)
            self.db.stream.clear()

    def answer_read(self, request: httpx.Request) -> httpx.Response:
        if self.state.sunset and request.url.path.startswith("/api/v3/mcp"):
            return refusal(410, "gone")
        upstream, state = self._upstream, self.state
        upstream.servers = {one: list(needs) for one, needs in state.servers.items()}
        upstream.accounts = {one: fact.shown() for one, fact in state.accounts.items()}
        upstream.instances = set(state.instances)
        upstream.requests.clear()
        upstream.page = state.page
        return upstream(request)

    def answer_create(self, request: httpx.Request, pair: tuple[str, str]) -> httpx.Response:
        server, user = pair
        state = self.state
        if state.sunset and server != SESSION:
            state.rejected_creates += 1
            return refusal(410, "gone")
        if server != SESSION and server not in state.servers:
            return refusal(404, "no such server")
        if state.refusals:
            state.refusals -= 1
            state.refused = True
            state.rejected_creates += 1
            return refusal(422, "refused")
        if server == SESSION:
            state.sessions = (*state.sessions, user)
            made = self._upstream.session_body(f"trs_{len(state.sessions)}")
            return httpx.Response(201, json=made, request=request)
        if state.missing_for(user, server):
            state.rejected_creates += 1
            return refusal(403, "not all connected")
        if pair in state.instances:
            return refusal(409, "exists")
        state.instances |= {pair}
        return httpx.Response(201, json=self._upstream.record(*pair), request=request)

    def deliver(self, fact: Fact, name: str = "webhook") -> bool:
        """Send an event to the webhook function, and return whether it was acknowledged."""
        at, known = self.environment(name), self.known()
        at.ends = self.state.now + WEBHOOK_SECONDS
        try:
            event = request(fact, int(self.state.now), key=self.secret["webhook_secrets"][0])
            answer = at.webhook.answer(event, seconds=WEBHOOK_SECONDS)
        except Killed:
            at.load_memory()
            return False
        answered = self.choose(FaultPoint(name, "answer", "its answer")) is None
        acknowledged = answered and answer["statusCode"] == 200
        # An event that was ignored because the catalog in memory is old is back-filled.
        if acknowledged and "ignored" not in json.loads(answer["body"]):
            self.state.acknowledge(fact, known)
            self.check_acknowledged()
        return acknowledged

    def put_profile(self, needs: tuple[str, ...]) -> None:
        """Store the session profile and its back-fill, as the operator does."""
        self.state.profile = needs
        table = Table(cast("Any", self.db), "table")
        profile = session_profile(PROFILE.id, {one: one for one in needs}, {})
        at = int(self.state.now) + MEMORY_SECONDS
        CatalogTable(table, WalkTable(table)).store_profile(profile, backfill_at=at)
        self.db.calls.clear()
        self.db.stream.clear()

    def put(self, body: object, fact: Fact | None = None) -> None:
        state = self.state
        state.messages += (
            Message(f"message-{state.number()}", json.dumps(body), state.now, fact=fact),
        )

    def publish(self, fact: Fact) -> None:
        """Put an event into the queue, as the event bus does."""
        self.put({"detail": envelope(fact)}, fact)

    def work(self, name: str = "worker", *, batch: int = BATCH) -> None:
        """Invoke the worker function with the visible messages, if there are any."""
        messages = self.state.receive(batch)
        if not messages:
            return
        at, known = self.environment(name), self.known()
        at.ends = self.state.now + WORKER_SECONDS
        # As in `deliver`: what an old catalog in memory ignores is back-filled.
        known = {auth for auth in known if not at.ignores(auth)}
        records = [record(one) for one in messages]
        try:
            answer = at.worker.work(records, seconds=WORKER_SECONDS)
        except Killed:
            at.load_memory()
            return
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        for message in messages:
            if message.id not in failed:
                self._delete(name, message, known)

    def _delete(self, name: str, message: Message, known: Collection[str]) -> None:
        if self.choose(FaultPoint(name, "delete", f"delete of {message.body[:40]}")):
            return
        state = self.state
        state.messages = tuple(one for one in state.messages if one.id != message.id)
        if message.fact:
            state.acknowledge(message.fact, known)
            self.check_acknowledged()

    def check_acknowledged(self) -> None:
        check_acknowledged(self.state.acknowledged, self.rows())

    def known(self) -> set[str]:
        """Return what the stored catalog requires; before there is one, what Composio does."""
        catalog = self.db.rows.get(CATALOG, {}).items()
        enrolled = {f"SERVER#{one}" for one in self.state.enrolled.split(",")}
        enrolled.add(catalog_key(PROFILE.key)["sk"])
        targets = [from_item(cast("Any", item)) for sk, item in catalog if sk in enrolled]
        needs = [one.get("required") or one["toolkits"] for one in targets if "toolkits" in one]
        return set().union(*(needs or self.state.servers.values()))

    def rows(self) -> Rows:
        return {
            (pk, sk): from_item(cast("Any", item))
            for pk, partition in self.db.rows.items()
            for sk, item in partition.items()
        }

    def snapshot(self) -> Snapshot:
        state = copy(self.state)
        state.memories = {name: one.memory() for name, one in self._environments.items()}
        return Snapshot(state, self.db.snapshot())

    def restore(self, snapshot: Snapshot) -> None:
        System.running = self
        self.state = copy(snapshot.state)
        self.db.restore(snapshot.table)
        for name, environment in self._environments.items():
            environment.load_memory(snapshot.state.memories.get(name))

    def fingerprint(self, *, by_name: bool = False) -> int:
        """Return the fingerprint of this moment."""
        state = copy(self.state)
        environments = sorted(self._environments.items())
        state.memories = {name: shown(one.memory()) for name, one in environments}
        return fingerprint(state, self.db.rows, by_name=by_name)
