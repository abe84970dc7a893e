"""One odd account, page or list stops no other, and every walk comes to its end."""

import httpx
import pytest

from handler.account_walk import MOST_FAILING
from tests.doubles import Counted, Figured
from tests.handler.walks import LONG_AGO, users, watermark
from tests.world import GMAIL, SLACK, World, account, as_composio_has_it, refuse_writes, swept_world


@pytest.fixture
def world() -> World:
    return swept_world()


def accounts_asked_for(world: World) -> int:
    return sum("/connected_accounts/" in one.url.path for one in world.upstream.requests)


def test_account_that_cannot_be_handled_is_set_aside_and_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    for user in users(4):
        world.connect(user)
    refuse_writes(world, monkeypatch, "user_002")

    world.sweep.run(deadline=world.now + 27)

    assert world.ready == set(users(4)) - {"user_002"}
    assert watermark(world) == world.now
    assert counted()["AccountSetAside"] == 2
    assert "SweepFailed" not in counted()
    assert world.sqs.tasks("account") == [
        {"task": "account", "account_id": f"ca_user_002_{one}", "user_id": "user_002"}
        for one in (GMAIL, SLACK)
    ]


def test_account_that_is_set_aside_is_sent_once_and_its_message_is_retried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.connect()
    refuse_writes(world, monkeypatch, "user_1")

    for _ in range(3):
        world.sqs.put({"task": "sweep"})
        world.work()
        world.now += 60

    assert len(world.sqs.tasks("account")) == 2
    assert [seconds for _, seconds in world.sqs.postponed] == [15, 15]


def test_account_that_was_set_aside_is_read_at_composio_and_handled(world: World) -> None:
    world.connect(created=LONG_AGO)
    for account_id in world.upstream.accounts:
        world.sqs.put({"task": "account", "account_id": account_id, "user_id": "user_1"})

    assert world.work() == []
    assert world.row()["status"] == "ready"


def test_account_that_was_handled_in_the_end_may_be_set_aside_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.connect()
    with monkeypatch.context() as broken:
        refuse_writes(world, broken, "user_1")
        world.sweep.run(deadline=world.now + 27)
    world.sqs.messages.clear()
    world.now += 60
    world.sweep.run(deadline=world.now + 27)
    assert world.row()["status"] == "ready"
    for fact in world.upstream.accounts.values():
        fact.update(updated_at="2026-01-01T00:00:30Z", is_disabled=True)
    refuse_writes(world, monkeypatch, "user_1")

    world.now += 60
    world.sweep.run(deadline=world.now + 27)

    assert len(world.sqs.tasks("account")) == 4


def test_failure_of_every_account_ends_the_turn_and_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    before = watermark(world)
    many = users(MOST_FAILING + 5)
    for user in many:
        world.connect(user)
    with monkeypatch.context() as broken:
        refuse_writes(world, broken, *many)
        world.sweep.run(deadline=world.now + 27)

    assert watermark(world) == before
    assert counted()["SweepFailed"] == 1
    assert len(world.sqs.tasks("account")) < 2 * MOST_FAILING
    world.minutes(3)
    assert world.ready == set(many)


def leave_out_users(world: World, *, also_by_id: bool) -> None:
    def without(_: httpx.QueryParams, listed: httpx.Response) -> httpx.Response:
        items = [one | {"user_id": None} for one in listed.json()["items"]]
        return httpx.Response(200, json=listed.json() | {"items": items})

    world.upstream.on_list = without
    if also_by_id:
        for one in world.upstream.accounts.values():
            one["user_id"] = None


def test_account_without_a_user_in_the_list_is_read_by_its_id(
    world: World, counted: Counted
) -> None:
    for user in users(5):
        world.connect(user)
    leave_out_users(world, also_by_id=False)

    world.minutes(1)

    assert world.ready == set(users(5))
    assert "AccountUnnamed" not in counted()


def test_accounts_without_a_user_are_counted_and_only_a_few_are_read_by_id(
    world: World, figured: Figured
) -> None:
    for user in users(5):
        world.connect(user)
    leave_out_users(world, also_by_id=True)

    world.minutes(1)

    assert accounts_asked_for(world) == 3
    assert sum(figured("AccountUnnamed")) == 10


def test_account_without_a_user_is_ignored_when_no_server_requires_it(
    world: World, counted: Counted
) -> None:
    fact = as_composio_has_it(account("ac_other")) | {"created_at": world.now, "user_id": None}
    world.upstream.accounts["ca_other"] = fact

    world.minutes(1)

    assert accounts_asked_for(world) == 0
    assert "AccountUnnamed" not in counted()
