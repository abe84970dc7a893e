"""What `doctor` finds: also what could not be had, and why the sweep may still be at work."""

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
from tests.provisioner.found_stack import stack_of
from tests.world import World, refusal


class Denied:
    """A service of AWS that allows nothing."""

    def __getattr__(self, verb: str) -> Any:
        def refused(**_: str) -> None:
            name = "".join(part.title() for part in verb.split("_"))
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not allowed"}}, name)

        return refused


def denied(world: World, *, by_composio: httpx.Response) -> Stack:
    """Return a stack of which an operator may see nothing but its table and its secret."""
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


def test_without_a_permission_doctor_names_it_and_gives_no_other_remedy() -> None:
    facts = collect(denied(World(), by_composio=refusal(403, "forbidden")))
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


def test_only_a_403_is_for_want_of_a_permission() -> None:
    facts = collect(denied(World(), by_composio=refusal(400, "no such page")))

    assert isinstance(facts.subscription, Trouble)
    assert facts.subscription.remedy == "mend it"


def test_a_pass_is_at_work_for_as_long_as_it_is_handed_on() -> None:
    world = World()
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


def test_a_sweep_that_may_not_read_the_accounts_is_told_of() -> None:
    """Each pass that dies of it has held its lease, and so looks as if it were at work."""
    facts = collect(denied(World(), by_composio=refusal(403, "forbidden")))

    assert isinstance(facts.followers, Trouble)
    assert facts.followers.remedy == "give the API key connected_accounts: read"


def test_a_clock_is_read_before_the_slow_questions() -> None:
    world, ticking = World(), iter(range(1767225600, 1767999999, 100))
    now = httpx.Response(200, json={"items": []}, headers={"date": "Thu, 01 Jan 2026 00:00:00 GMT"})

    facts = collect(denied(world, by_composio=now), clock=lambda: next(ticking))

    assert facts.clocks == {"Composio": 0}


def test_before_the_first_pass_there_is_none() -> None:
    assert swept(stack_of(World()), 1) is None
