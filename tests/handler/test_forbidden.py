"""A 403 at the creation of an instance: the facts are corrected, or it is retried."""

import httpx

from handler.events import Account
from tests.doubles import refusal
from tests.world import GMAIL, SERVER, SLACK, World, account, as_composio_has_it


def show_accounts(world: World, *facts: Account) -> None:
    """Let Composio have these accounts."""
    world.upstream.accounts.update({one.id: as_composio_has_it(one) for one in facts})


def test_forbidden_corrects_the_facts_and_waits_for_what_composio_misses(world: World) -> None:
    world.upstream.script.append(refusal(403, "not all connected"))
    show_accounts(world, account(SLACK), account(GMAIL, status="EXPIRED", at=30))

    assert world.complete() == {SERVER: "waiting"}
    assert world.row()["missing"] == [GMAIL]
    assert world.see(account(SLACK, at=40)) == {SERVER: "waiting"}
    assert world.upstream.creates == 1

    assert world.see(account(GMAIL, at=50)) == {SERVER: "ready"}


def test_forbidden_withdraws_an_account_that_is_no_longer_there(world: World) -> None:
    world.upstream.script.append(refusal(403, "not all connected"))
    show_accounts(world, account(SLACK))

    assert world.complete() == {SERVER: "waiting"}

    assert world.see(account(SLACK, at=40)) == {SERVER: "waiting"}
    assert world.see(account(GMAIL)) == {SERVER: "waiting"}
    assert world.upstream.creates == 1
    assert world.see(account(GMAIL, at=50)) == {SERVER: "ready"}


def test_forbidden_without_a_reason_retries_and_then_fails(world: World) -> None:
    show_accounts(world, account(GMAIL), account(SLACK))
    world.upstream.script.extend([refusal(403, "key lacks permission")] * 20)
    world.complete()
    seen = ["retrying"]
    while seen[-1] == "retrying":
        world.now += 1000
        seen.append(world.see(account(SLACK))[SERVER])

    assert seen == ["retrying"] * 7 + ["failed"]
    assert world.row()["last_error"]["message"] == "key lacks permission"


def test_only_consecutive_forbidden_answers_without_a_reason_are_counted(world: World) -> None:
    show_accounts(world, account(GMAIL), account(SLACK))
    unavailable, forbidden = refusal(503, "down"), refusal(403, "not now")
    world.upstream.script.extend([unavailable] * 9 + [forbidden] * 7 + [unavailable, forbidden])
    world.complete()
    for _ in range(17):
        world.now += 1000
        assert world.see(account(SLACK)) == {SERVER: "retrying"}

    world.now += 1000
    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_forbidden_answer_is_not_counted_while_the_accounts_cannot_be_read(world: World) -> None:
    show_accounts(world, account(GMAIL), account(SLACK))
    world.upstream.script.extend([refusal(403, "not now")] * 9)
    world.complete()
    for _ in range(6):
        world.now += 1000
        assert world.see(account(SLACK)) == {SERVER: "retrying"}

    world.now += 1000
    world.upstream.on_list = lambda *_: refusal(503, "down")
    assert world.see(account(SLACK)) == {SERVER: "retrying"}
    world.now += 1000
    world.upstream.on_list = None
    assert world.see(account(SLACK)) == {SERVER: "failed"}


def test_forbidden_and_an_empty_list_do_not_withdraw_the_facts(world: World) -> None:
    show_accounts(world, account(GMAIL), account(SLACK))
    world.upstream.script.append(refusal(403, "not all connected"))
    world.upstream.gets.append(httpx.Response(200, json={"items": []}))

    assert world.complete() == {SERVER: "retrying"}
    world.now += 15
    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_user_id_with_a_comma_keeps_its_facts_after_forbidden_and_an_empty_list(
    world: World,
) -> None:
    user = "doe, jane"
    show_accounts(world, account(GMAIL, user=user), account(SLACK, user=user))
    world.upstream.script.append(refusal(403, "not all connected"))
    world.upstream.gets.append(httpx.Response(200, json={"items": []}))

    assert world.complete(user) == {SERVER: "retrying"}
    assert world.target_table.user(user)[0].active == {GMAIL, SLACK}


def test_auth_config_that_is_disabled_at_composio_corrects_the_facts(world: World) -> None:
    """The account's own time stays: ComposioHQ/composio issue 2455."""
    disabled = as_composio_has_it(account(GMAIL))
    disabled["auth_config"] = {"id": GMAIL, "is_disabled": True}
    world.upstream.accounts["ca_gmail"] = disabled
    show_accounts(world, account(SLACK))
    world.upstream.script.append(refusal(403, "not all connected"))

    assert world.complete() == {SERVER: "waiting"}
    assert world.row()["missing"] == [GMAIL]
    assert world.target_table.user("user_1")[0].active == {SLACK}
    for _ in range(3):
        world.now += 100
        world.tick()
        assert world.see(account(GMAIL)) == {SERVER: "waiting"}
    assert world.upstream.creates == 1
