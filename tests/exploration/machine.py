"""Anything at any time: hypothesis chooses what the world does, and what goes wrong.

Several users, servers and environments; accounts expire and come back, Composio is down or
limits, keys are rotated, the clock jumps. After all of it, and enough sweeps, all is as it must be.
"""

from typing import Any

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.doubles import refusal
from tests.exploration import report
from tests.exploration.faults import FAULTS, ODD, Fault, FaultPoint
from tests.exploration.promises import check_end
from tests.exploration.state import Fact
from tests.exploration.steps import NO_RETRY, TICK, advance
from tests.exploration.system import System
from tests.world import GMAIL, NOW, SERVER, SLACK

USERS, AUTHS = ("user_1", "user_2"), (GMAIL, SLACK, "ac_notion")
OTHER = "srv_other"
NEEDS = ((GMAIL, SLACK), (SLACK,), (SLACK, "ac_notion"), (GMAIL,))
WEBHOOKS, WORKERS = ("webhook", "webhook-2"), ("worker", "worker-2")


class ComingFaults:
    """What goes wrong next: a fault so many calls from now, or all of Composio."""

    def __init__(self) -> None:
        self.coming: list[tuple[int, int]] = []
        self.odd = False

    def __call__(self, point: FaultPoint) -> Fault | None:
        possible = FAULTS.get(point.kind, ())
        self.coming = [(calls - 1, which) for calls, which in self.coming]
        due = [one for one in self.coming if one[0] < 0]
        if not due or not possible:
            return None
        self.coming.remove(due[0])
        fault = possible[due[0][1] % len(possible)]
        if fault in ODD and self.odd:  # two are evidence
            return None
        self.odd |= fault in ODD
        return fault


class UnreliableSystem(System):
    """A Composio that can be down, or answer that there was too much."""

    down = False
    limited = 0

    def answer_read(self, request: httpx.Request) -> httpx.Response:
        return self._refusal(request) or super().answer_read(request)

    def answer_create(self, request: httpx.Request, pair: tuple[str, str]) -> httpx.Response:
        refused = self._refusal(request)
        if refused:
            self.state.rejected_creates += 1
        return refused or super().answer_create(request, pair)

    def _refusal(self, request: httpx.Request) -> httpx.Response | None:
        if self.down:
            return refusal(503, "down")
        if request.headers["x-api-key"] != self.secret["composio_api_key"]:
            return refusal(401, "not this key")
        if self.limited:
            self.limited -= 1
            return httpx.Response(429, headers={"retry-after": "60"})
        return None


class Machine(RuleBasedStateMachine):
    """One history; `teardown` lets it come to rest and judges."""

    def __init__(self) -> None:
        super().__init__()
        self.system = UnreliableSystem(SERVER, OTHER)
        self.coming = ComingFaults()
        self.system.state.servers = {SERVER: (GMAIL, SLACK), OTHER: (SLACK, "ac_notion")}
        self.unsent: list[Fact] = []
        self.sent: list[Fact] = []
        self.keys = 0
        self._quietly(TICK)
        self.system.chooser = self.coming

    def _quietly(self, steps: tuple[Any, ...]) -> None:
        state = self.system.state
        self.system.chooser = lambda _: None
        state.pending_steps, state.steps_done_at, state.ticks = (*steps, NO_RETRY), float("inf"), 0
        while advance(self.system):
            pass

    def _seconds(self) -> int:
        self.system.state.now += 1
        return int(self.system.state.now - NOW)

    def _becomes(self, fact: Fact, *, told: bool) -> None:
        state = self.system.state
        state.accounts = {**state.accounts, fact.id: fact}
        if told:
            self.unsent.append(fact)

    @rule(user=st.sampled_from(USERS), auth=st.sampled_from(AUTHS), told=st.booleans())
    def connect(self, user: str, auth: str, *, told: bool) -> None:
        now = self._seconds()
        number = 1 + len(self.system.state.accounts)
        fact = Fact(auth, at=now, user=user, created=now, number=number)
        self._becomes(fact, told=told)

    @precondition(lambda self: self.system.state.accounts)
    @rule(data=st.data(), status=st.sampled_from(("EXPIRED", "ACTIVE")))
    def change(self, data: st.DataObject, status: str) -> None:
        accounts = sorted(self.system.state.accounts.values())
        fact = data.draw(st.sampled_from(accounts))
        self._becomes(fact._replace(at=self._seconds(), status=status), told=True)

    @precondition(lambda self: self.unsent)
    @rule(data=st.data(), name=st.sampled_from((*WEBHOOKS, "bus")), again=st.booleans())
    def deliver(self, data: st.DataObject, name: str, *, again: bool) -> None:
        fact = data.draw(st.sampled_from(self.unsent))
        self._seconds()
        if name == "bus":
            self.system.publish(fact)
        elif not self.system.deliver(fact, name):
            return
        if not again:
            self.unsent.remove(fact)

    @rule(name=st.sampled_from(WORKERS), batch=st.integers(1, 5))
    def work(self, name: str, batch: int) -> None:
        self.system.work(name, batch=batch)

    @rule()
    def tick(self) -> None:
        self.system.put({"task": "sweep"})

    @rule(seconds=st.sampled_from((1, 20, 41, 61, 200, 1000, 4000)))
    def wait(self, seconds: int) -> None:
        self.system.state.now += seconds

    @rule(calls=st.integers(0, 12), which=st.integers(0, 15))
    def fault(self, calls: int, which: int) -> None:
        self.coming.coming.append((calls, which))

    @rule(down=st.booleans(), limited=st.integers(0, 3))
    def composio(self, limited: int, *, down: bool) -> None:
        self.system.down, self.system.limited = down, limited

    @rule(server=st.sampled_from((SERVER, OTHER)), needs=st.sampled_from(NEEDS))
    def require(self, server: str, needs: tuple[str, ...]) -> None:
        self.system.state.servers = {**self.system.state.servers, server: needs}

    @rule(needs=st.sampled_from(NEEDS))
    def put_profile(self, needs: tuple[str, ...]) -> None:
        self.system.put_profile(needs)

    @rule()
    def rotate(self) -> None:
        self.keys += 1
        self.system.secret = {
            "composio_api_key": f"ak_{self.keys}",
            "webhook_secrets": [f"whsec_invented_{self.keys}"],
        }

    @rule(name=st.sampled_from((*WEBHOOKS, *WORKERS)))
    def recycle(self, name: str) -> None:
        self.system.environment(name).load_memory()

    def teardown(self) -> None:
        self.system.down, self.system.limited = False, 0
        system = self.system
        system.chooser = lambda _: None
        while system.state.late_writes:
            system.apply_late_write()
        system.state.now += 400
        for fact in list(self.unsent):
            system.publish(fact)
        self._quietly((NO_RETRY,))
        check_end(system.state, system.rows())
        report.histories["random"] += 1
