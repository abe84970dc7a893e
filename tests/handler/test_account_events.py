"""Events that say too little, or what cannot be: the account is read at Composio."""

from typing import Any

import httpx
import pytest

from handler.events import Account, AccountEvent
from handler.provisioning import Handled
from handler.targets import Status
from tests.doubles import refusal
from tests.world import GMAIL, SLACK, World, account, as_composio_has_it


def show_accounts(world: World, *facts: Account) -> None:
    """Let Composio have these accounts."""
    world.upstream.accounts.update({one.id: as_composio_has_it(one) for one in facts})


def handle(world: World, account_id: str = "ca_gmail", **event: Any) -> Handled:
    """Handle an event that says no more of the account than this."""
    named = AccountEvent(account_id, event.get("fact"), event.get("user_id"))
    return world.provisioning.handle_event(named, deadline=world.now + 20)


def test_account_without_a_user_is_looked_up(world: World) -> None:
    show_accounts(world, account(GMAIL))

    seen = handle(world)

    assert [one.status for one in seen.outcomes] == [Status.WAITING]


@pytest.mark.parametrize("known", [True, False])
def test_account_without_a_known_user_is_ignored(world: World, known: bool) -> None:
    if known:
        world.upstream.accounts["ca_gmail"] = as_composio_has_it(account(GMAIL)) | {"user_id": None}

    seen = handle(world)

    assert seen.ignored == "Composio does not say whose connected account it is"
    assert world.trips()[0] == []


def test_account_of_an_event_from_the_future_is_read_at_composio(world: World) -> None:
    future = account(GMAIL, status="EXPIRED")._replace(updated_at="2999-01-01T00:00:00.000000Z")
    show_accounts(world, account(GMAIL, at=1))
    world.see(account(SLACK))

    seen = handle(world, fact=future)

    assert [one.status for one in seen.outcomes] == ["ready"]


def test_expired_account_whose_events_are_from_the_future_causes_one_create_call(
    world: World,
) -> None:
    future = "2999-01-01T00:00:00.000000Z"
    show_accounts(world, account(SLACK))
    world.upstream.accounts["ca_gmail"] = as_composio_has_it(
        account(GMAIL, status="EXPIRED")._replace(updated_at=future)
    )

    def forbidden(_: httpx.Request) -> httpx.Response:
        world.now += 1
        return refusal(403, "not all connected")

    world.upstream.script.extend([forbidden] * 10)
    world.complete()
    for _ in range(20):
        world.now += 3600
        world.tick()
        handle(world, fact=account(GMAIL)._replace(updated_at=future))

    assert world.row()["status"] == "waiting"
    assert world.upstream.creates == 1


def test_user_whom_only_the_event_names_is_confirmed_by_the_filtered_list(world: World) -> None:
    """Composio has announced that it will stop naming users in its answers."""
    world.see(account(SLACK))
    show_accounts(world, account(GMAIL))
    nameless = world.upstream.accounts["ca_gmail"] | {"user_id": None}
    world.upstream.gets.append(httpx.Response(200, json=nameless))
    world.upstream.on_list = lambda _, listed: httpx.Response(
        200, json={"items": [nameless] * len(listed.json()["items"])}
    )

    seen = handle(world, user_id="user_1")

    assert [one.status for one in seen.outcomes] == ["ready"]


def test_user_whom_only_the_event_names_and_composio_does_not_confirm_is_ignored(
    world: World,
) -> None:
    shown = as_composio_has_it(account(GMAIL, user="another"))
    world.upstream.accounts["ca_gmail"] = shown
    world.upstream.gets.append(httpx.Response(200, json=shown | {"user_id": None}))

    seen = handle(world, user_id="user_1")

    assert seen.ignored
    assert world.target_table.user("user_1")[0].accounts == ()


@pytest.mark.parametrize("known", [True, False])
def test_account_counts_as_deleted_only_if_the_list_lacks_it_too(world: World, known: bool) -> None:
    world.see(account(SLACK))
    if known:
        show_accounts(world, account(GMAIL))
    world.upstream.gets.append(refusal(404, "not found"))

    seen = handle(world)

    assert [one.status for one in seen.outcomes] == (["ready"] if known else [])
    assert bool(seen.ignored) is not known
