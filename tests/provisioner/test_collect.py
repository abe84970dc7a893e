"""How `doctor` collects its facts, with and without the permissions that it needs."""

from types import SimpleNamespace
from typing import Any

import httpx
from botocore.exceptions import ClientError

from handler.composio import Composio
from handler.decisions import LEASE_SECONDS
from handler.transport import Transport
from handler.walk_table import RECENT
from provisioner.activity import Swept, swept
from provisioner.doctor.collect import collect
from provisioner.doctor.judge import judge
from provisioner.errors import Trouble
from provisioner.stack import Stack
from tests.doubles import refusal
from tests.provisioner.found_stack import stack_of
from tests.world import World


class Denied:
    """A service of AWS that allows nothing."""

    def __getattr__(self, verb: str) -> Any:
        def refused(**_: str) -> None:
            name = "".join(part.title() for part in verb.split("_"))
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not allowed"}}, name)

        return refused


def denied(by_composio: httpx.Response) -> Stack:
    """Return a stack of which an operator may read only the table and the secret."""
    world = World()
    db: Any = SimpleNamespace(query=world.db.query)
    db.meta = SimpleNamespace(endpoint_url="https://dynamodb.invalid", region_name="r")
    http = httpx.Client(
        base_url="https://composio.invalid", transport=httpx.MockTransport(lambda _: by_composio)
    )
    composio = Composio(Transport(lambda: http, world.credentials, lambda: world.now))
    nothing = dict.fromkeys(("sqs", "lambda", "events", "logs"), Denied())
    stack = stack_of(world, dynamodb=db, **nothing)
    vars(stack)["services"] = world.services._replace(composio=composio)
    return stack


def test_doctor_names_each_missing_permission() -> None:
    facts = collect(denied(refusal(403, "forbidden")))
    told = {one.check: (one.message, one.remedy) for one in judge(facts) if one.level != "ok"}

    ask = "ask for it, or use another profile (docs/provisioner.md lists the permissions)"
    attributes = ("no permission for GetQueueAttributes: not allowed", ask)
    # The rules are found by the queue that they send to.
    assert told["dead-letter queue"] == told["sweep"] == told["event bus"] == attributes
    assert told["release"] == ("no permission for GetFunctionConfiguration: not allowed", ask)
    assert told["recursion"] == ("no permission for GetFunctionRecursionConfig: not allowed", ask)
    mappings = ("no permission for ListEventSourceMappings: not allowed", ask)
    assert told["queue"] == told["announcer"] == mappings
    assert told["deliveries"] == ("no permission for FilterLogEvents: not allowed", ask)
    assert {check: said for check, said in told.items() if said[0] == "Composio: forbidden"} == {
        "MCP servers": ("Composio: forbidden", "give the API key mcp_servers: write"),
        "event types": ("Composio: forbidden", "give the API key webhooks: read"),
        "webhook": ("Composio: forbidden", "give the API key webhooks: write"),
    }


def test_another_status_than_403_is_not_about_a_permission() -> None:
    facts = collect(denied(refusal(400, "no such page")))

    assert isinstance(facts.subscription, Trouble)
    assert facts.subscription.remedy == "mend it"


def test_a_sweep_is_active_while_its_pass_continues() -> None:
    world = World()
    assert swept(stack_of(world), 1) is None
    world.tick()
    stack, began = stack_of(world), int(world.now)
    assert swept(stack, began + 7) == Swept(began=7, active=7)
    walk = world.walk_table.take(
        RECENT,
        token="t",
        mine="",
        now=began + 60,
        lease=LEASE_SECONDS,
        begin={"cursor": "", "begun_at": began + 60},
    )
    assert walk
    assert swept(stack, began + 61) == Swept(began=61, active=1 - LEASE_SECONDS)
    world.walk_table.leave(walk, until=began + 600 + LEASE_SECONDS)
    assert swept(stack, began + 601) == Swept(began=601, active=1 - LEASE_SECONDS)
    assert swept(stack, began + 999) == Swept(began=999, active=399 - LEASE_SECONDS)


def test_doctor_reports_a_sweep_that_may_not_read_the_accounts() -> None:
    """Each pass that fails has held its lease, and so looks active."""
    facts = collect(denied(refusal(403, "forbidden")))

    assert isinstance(facts.followers, Trouble)
    assert facts.followers.remedy == "give the API key connected_accounts: read"


def test_the_clock_is_read_before_the_slow_calls() -> None:
    ticking = iter(range(1767225600, 1767999999, 100))
    now = httpx.Response(200, json={"items": []}, headers={"date": "Thu, 01 Jan 2026 00:00:00 GMT"})

    facts = collect(denied(now), clock=lambda: next(ticking))

    assert facts.clocks == {"Composio": 0}
