"""Users are moved from instances to sessions, as in docs/sessions.md, while events go on.

With PROVE=1 there are a thousand, and the back-fill waits for its minute.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle
from typing import Any

import pytest
from composio_client import Composio, ProjectAuth

from handler.dynamodb import to_item
from handler.walk_table import BACKFILL, walk_key
from local.demo.agent import list_tools
from local.simulator.project import DEFAULT_API_KEY
from tests.deployed.application import BOTH, PATIENCE_SECONDS, SERVER, publish, someone, until
from tests.deployed.conftest import Infrastructure, deployed_alone
from tests.deployed.finishing import Finishing
from tests.deployed.operator_commands import Operator

PROVE = "PROVE" in os.environ
USERS = 1000 if PROVE else 100
PROFILE = "work"
SESSION = f"SESSION#{PROFILE}"
AT_WORK = {"ready", "creating"}
CALLS_A_MINUTE = 2000
"""Composio's limit on its smaller plan (API reference, Rate limits)."""


@pytest.fixture
def operator(infrastructure: Infrastructure) -> Iterator[Operator]:
    with deployed_alone(infrastructure, "moved", SERVER) as moved:
        yield Operator(moved)


@pytest.fixture
def heard(operator: Operator) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    with operator.at.listening() as heard:
        yield heard


@pytest.mark.timeout(600)
def test_users_are_moved_to_sessions_while_events_go_on_and_outlive_the_mcp_servers(
    operator: Operator, heard: Callable[[], list[dict[str, Any]]], figures: list[str]
) -> None:
    at = operator.at
    users, newcomers = [someone("moved") for _ in range(USERS)], list[str]()
    # So old that the sweep does not find them among the recent accounts.
    events = at.complete(*users, created_at="2026-01-01T00:00:00Z")
    at.put(events)
    until(lambda: at.all_ready(users), "all have an instance")
    at.composio.clear_ledger()
    at.composio.set_options(latency=0.03)  # Composio itself does not answer sooner

    import_profile(operator)
    began = sweep_at = time.monotonic()
    for known in cycle(events):
        if time.monotonic() >= sweep_at:
            at.sweep()
            sweep_at += 20
        moved = Counter(at.statuses(users, SESSION).values())
        assert at.all_ready(users)  # of their instances, until the last has a session
        if moved["ready"] == USERS:
            break
        assert time.monotonic() - began < PATIENCE_SECONDS + USERS / 4, moved
        assert at.send(known).status == 200
        newcomers.append(someone("newcomer"))
        # At once, or from the queue if this machine is too slow for that.
        assert statuses(at.connect(*newcomers[-1:], *BOTH).body)["instance"] in AT_WORK
        until(lambda: at.all_ready(newcomers[-1:]), "the newcomer has an instance")
    rate = 60 * len(at.composio.ledger()) / (time.monotonic() - began)

    everybody = users + newcomers
    until(lambda: at.all_ready(everybody, SESSION), "the newcomers have a session, too")
    posts = at.composio.session_posts()
    assert {one["user_id"] for one in posts} == {*everybody}
    assert {(one["posts"], one["max_in_flight"]) for one in posts} == {(1, 1)}
    assert rate < CALLS_A_MINUTE
    figures.append(f"move: {USERS} users and {len(newcomers)} newcomers, {rate:.0f} calls a minute")
    told = dict[str, str]()

    def all_told() -> bool:
        details = [one["detail"] for one in heard() if one["detail-type"] == "MCP Session Ready"]
        told.update((one["id"], one["user_id"]) for one in details)
        return {*told.values()} == {*everybody}

    until(all_told, "each session is announced")
    assert Counter(told.values()) == Counter(everybody)

    at.composio.set_options(mcp_sunset="over")
    at.sweep()
    until(at.idle, "the sweep is over")
    assert at.all_ready(everybody, SESSION)
    late = someone("late")
    assert statuses(at.connect(late, *BOTH).body)["session"] in AT_WORK
    until(lambda: at.all_ready([late], SESSION), "a later user has a session")
    (session,) = (one for one in targets(at, users[0]) if one["kind"] == "session")
    with Composio(auth=ProjectAuth(DEFAULT_API_KEY), base_url=at.composio.url) as client:
        opened = client.tool_router.session.retrieve(session["record"]["session_id"])
    assert opened.mcp.url == session["endpoint"]["url"]
    assert list_tools(opened.mcp.url, DEFAULT_API_KEY) == ["GMAIL_WHO_AM_I", "SLACK_WHO_AM_I"]


def import_profile(operator: Operator) -> None:
    """Put the profile; without PROVE=1 its back-fill begins at once."""
    at = operator.at
    operator.run("profile", "import", SERVER, "--name", PROFILE)
    if not PROVE:
        # New environments: its minute is for those that remember the profiles as they were.
        publish(at, at.stack.webhook_function_name)
        publish(at, at.stack.worker_function_name)
        at.dynamodb.update_item(
            TableName=at.stack.table_name,
            Key=to_item(walk_key(f"{BACKFILL}{SESSION}")),
            UpdateExpression="SET lease_until = :now",
            ExpressionAttributeValues=to_item({":now": int(time.time())}),
        )


def targets(at: Finishing, user: str) -> list[dict[str, Any]]:
    """Return what the API shows of the user."""
    return list(at.ask(user).raise_for_status().json()["targets"])


def statuses(told: Mapping[str, Any]) -> dict[str, str]:
    """Return the status of each kind of target in an answer."""
    return {one["kind"]: one["status"] for one in told["targets"]}
