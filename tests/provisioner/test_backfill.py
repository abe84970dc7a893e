"""`provisioner backfill` starts a back-fill and shows its progress."""

import json
from functools import partial
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from typer.testing import Result

from handler.catalog import MEMORY_SECONDS
from handler.catalog_table import CATALOG, server_from_row
from handler.decisions import LEASE_SECONDS
from handler.paging import Place
from handler.walk_table import BACKFILL
from provisioner import repairs
from provisioner.errors import Trouble
from tests.doubles import refusal
from tests.provisioner import command_line
from tests.provisioner.found_stack import stack_of
from tests.world import GMAIL, SERVER, SLACK, TARGET, World, account, as_composio_has_it

USERS = ("user_0", "user_1", "user_2")


@pytest.fixture
def world(world: World) -> World:
    """Return a world whose users have accounts of which neither an event nor the sweep tells."""
    world.tick()
    world.now += 60 * 60 * 24 * 30  # further back than the sweep looks
    for _ in range(2):  # the sweep believes that there are no accounts when it reads so twice
        world.tick()
    for user in USERS:
        for auth_config in (GMAIL, SLACK):
            known = account(auth_config, id=f"{auth_config}_{user}", user=user)
            world.upstream.accounts[known.id] = as_composio_has_it(known)
    world.upstream.requests.clear()
    world.sqs.sent.clear()
    assert list(world.walk_table.walks()) == []
    return world


def run(world: World, monkeypatch: pytest.MonkeyPatch, *options: str) -> Result:
    """Run the command, with a worker that works while it sleeps."""

    def sleep(_: float) -> None:
        world.now += 1
        world.work()

    monkeypatch.setattr("provisioner.repair_commands.time", SimpleNamespace(sleep=sleep))
    return command_line.run("backfill", SERVER, *options, env={"COLUMNS": "80"})


def catalog_row(world: World) -> dict[str, Any]:
    (row,) = (one for one in world.catalog_table.table.partition(CATALOG) if "name" in one)
    return row


def asked_for_accounts(world: World) -> list[httpx.Request]:
    return [one for one in world.upstream.requests if "connected_accounts" in one.url.path]


def assert_all_ready(world: World) -> None:
    assert {world.row(user)["status"] for user in USERS} == {"ready"}


def test_it_finds_users_without_an_event(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = run(world, monkeypatch)

    assert "pages: 1 of 1" in ended.stderr
    assert ended.stdout == f"{SERVER}: 6 active accounts read\n"
    assert_all_ready(world)


def test_a_dry_run_only_counts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = catalog_row(world)
    found = json.loads(run(world, monkeypatch, "--dry-run", "--json").stdout)

    assert found == {"kind": "instance", "server_id": SERVER, "accounts": 6, "done": False}
    assert (catalog_row(world), world.sqs.sent) == (before, [])


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_server_without_auth_configs_has_nothing_to_read(
    options: tuple[str, ...], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.catalog_table.store_server(server_from_row(catalog_row(world) | {"required": []}))
    world.catalog.forget()
    before = catalog_row(world)

    ended = run(world, monkeypatch, *options)

    assert ended.stdout == f"{SERVER}: it requires nothing\n"
    assert asked_for_accounts(world) == []
    assert (catalog_row(world), world.sqs.sent) == (before, [])


def test_it_starts_even_if_the_accounts_cannot_be_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.upstream.gets.append(refusal(429, "slow down"))

    ended = run(world, monkeypatch)

    assert "slow down: the back-fill goes on, without a bar" in ended.stderr
    assert "pages" not in ended.stderr
    assert ended.stdout == f"{SERVER}: done\n"
    assert_all_ready(world)


def test_a_server_that_has_just_changed_still_waits_a_minute(world: World) -> None:
    until = int(world.now) + MEMORY_SECONDS
    world.catalog_table.store_server(server_from_row(catalog_row(world)), backfill_at=until)

    repairs.begin_backfill(stack_of(world), TARGET)
    world.work()

    assert asked_for_accounts(world) == []
    (walk,) = world.walk_table.walks()
    assert walk.lease_until == until
    world.now = until
    world.tick()
    assert world.row("user_0")["status"] == "ready"


def test_it_does_not_undo_what_the_catalog_has_learnt_since(world: World) -> None:
    stack = stack_of(world)
    known = stack.catalog.known().targets[0]
    world.catalog_table.store_server(known._replace(name="new", required=frozenset({GMAIL})))

    repairs.begin_backfill(stack, TARGET)

    row = catalog_row(world)
    assert (row["name"], row["required"]) == ("new", [GMAIL])
    assert repairs.backfill_place(stack, TARGET) == ""


def test_it_takes_over_from_a_running_back_fill_at_the_first_page(world: World) -> None:
    now = int(world.now)
    repairs.begin_backfill(stack_of(world), TARGET)
    take = partial(world.walk_table.take, BACKFILL + TARGET.sort_key, mine="", lease=LEASE_SECONDS)
    other = take(token="other", now=now)
    assert other
    repairs.begin_backfill(stack_of(world), TARGET)
    world.walk_table.leave(other._replace(place=Place("page 7")), until=now)

    walk = take(token="mine", now=now)
    assert walk
    assert walk.place.cursor == ""


def test_it_refuses_a_server_that_the_catalog_does_not_know(world: World) -> None:
    before = list(world.catalog_table.table.partition(CATALOG))

    with pytest.raises(Trouble, match="does not know srv_other"):
        repairs.begin_backfill(stack_of(world), TARGET._replace(name="srv_other"))
    assert list(world.catalog_table.table.partition(CATALOG)) == before
    assert world.sqs.sent == []
