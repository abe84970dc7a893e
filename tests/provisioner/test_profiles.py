"""`provisioner profile` stores session profiles that Composio would accept, and only those."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import Result

from handler.targets import Target
from handler.urls import endpoint
from provisioner.doctor import ask_composio
from tests.doubles import refusal
from tests.provisioner import command_line
from tests.provisioner.found_stack import stack_of
from tests.world import GMAIL, PROFILE, SERVER, SLACK, World, account, as_composio_has_it

WORK = {
    "name": "work",
    "auth_configs": {"gmail": GMAIL, "slack": SLACK},
    "create": {"preload": {"tools": "all"}},
}
PUT = ("put", "work", "--auth-config", f"gmail={GMAIL}", "--auth-config", f"slack={SLACK}")


@pytest.fixture
def world(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    monkeypatch.setattr("provisioner.profiles.time.time", lambda: world.now)
    monkeypatch.chdir(tmp_path)
    return world


def run(*arguments: str, code: int = 0) -> Result:
    return command_line.run("profile", *arguments, code=code)


def stored(world: World) -> tuple[Target, ...]:
    return world.catalog_table.catalog().profiles


def write(value: Any, name: str = "profiles.json") -> str:
    Path(name).write_text(value if isinstance(value, str) else json.dumps(value))
    return name


def test_put_stores_a_profile_once_with_its_back_fill(world: World) -> None:
    create = write(WORK["create"], "create.json")

    assert run(*PUT, "--create", create).stdout == "work: put\n"
    assert stored(world) == (PROFILE,)
    assert [one.name for one in world.walk_table.walks()] == ["BACKFILL#SESSION#work"]
    assert run(*PUT, "--create", create).stdout == "work: unchanged\n"
    assert run("put", "-f", write([WORK])).stdout == "work: unchanged\n"


@pytest.mark.usefixtures("world")
def test_the_output_of_show_is_a_file_for_put() -> None:
    run("put", "--file", write([WORK]))

    assert json.loads(run("show", "work").stdout) == WORK
    assert "gmail (ac_gmail), slack (ac_slack)" in run("list").stdout


def test_remove_deletes_a_profile(world: World) -> None:
    run(*PUT)
    assert run("remove", "work", "--yes").stdout == "work: removed\n"
    assert stored(world) == ()
    assert run("list").stdout == "there are none\n"
    assert "there is no session profile work" in run("remove", "work", "--yes", code=1).stderr


@pytest.mark.parametrize(
    ("auth_config", "why"),
    [
        ("gmail=ac_other", "ac_other does not exist at Composio, or is disabled"),
        (f"gmail={SLACK}", "ac_slack is of slack, not of gmail"),
        ("gmail", "each toolkit once"),
        ("=", "each toolkit once"),
    ],
)
def test_an_auth_config_that_composio_would_refuse_is_not_stored(
    world: World, auth_config: str, why: str
) -> None:
    ended = run("put", "work", "--auth-config", auth_config, code=1)
    assert why in " ".join(ended.stderr.split())
    assert stored(world) == ()


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        WORK,
        [WORK | {"name": "a b"}],
        [WORK | {"auth_configs": {}}],
        [WORK | {"auth_configs": {"slack": GMAIL, "gmail": GMAIL}}],
        [WORK | {"unknown": 1}],
        [WORK | {"create": {"user_id": "mine"}}],
        [WORK | {"create": []}],
    ],
)
def test_an_invalid_file_is_refused_whole(world: World, content: Any) -> None:
    run("put", "-f", write(content), code=1)
    run("put", "-f", "not there.json", code=1)
    assert stored(world) == ()


def test_nothing_is_stored_while_composio_is_down(world: World) -> None:
    world.upstream.down = True
    run(*PUT, code=1)
    assert stored(world) == ()


@pytest.mark.parametrize("gone", [None, httpx.Response(410), refusal(404, "no such server")])
def test_a_server_is_imported_also_if_only_our_catalog_has_it(
    world: World, gone: httpx.Response | None
) -> None:
    world.tick()
    if gone:
        world.upstream.gets.append(gone)

    run("import", SERVER, "--name", "work")

    assert stored(world) == (PROFILE._replace(create={}),)


def test_import_needs_a_name_that_is_valid_and_no_server_id(world: World) -> None:
    world.tick()
    odd = {"id": SERVER, "name": "a b", "auth_config_ids": [GMAIL]}
    world.upstream.gets.append(httpx.Response(200, json=odd))

    assert "--name NAME" in run("import", SERVER, code=1).stderr
    assert "is the id of an MCP server" in run("import", SERVER, "--name", SERVER, code=1).stderr
    assert stored(world) == ()


def test_an_unknown_server_is_not_imported(world: World) -> None:
    assert "nothing is known of what srv_x requires" in run("import", "srv_x", code=1).stderr
    assert stored(world) == ()


def endpoints(world: World) -> dict[str, Any]:
    shown = world.ask("GET", "/users/{user_id}", pathParameters={"user_id": "user_1"})
    return {one["kind"]: one["endpoint"] for one in json.loads(shown["body"])["targets"]}


def test_moving_to_sessions_leaves_no_user_without_an_endpoint(world: World) -> None:
    for fact in (account(GMAIL), account(SLACK)):
        world.upstream.accounts[fact.id] = as_composio_has_it(fact)
        world.see(fact)
    before = endpoint(f"https://composio.invalid/v3/mcp/{SERVER}", "user_1")
    assert endpoints(world) == {"instance": before}

    run("import", SERVER, "--name", "work")
    for _ in range(4):
        world.now += 61
        world.tick()

    after = endpoint("https://composio.invalid/tool_router/trs_1/mcp")
    assert endpoints(world) == {"instance": before, "session": after}
    assert len(world.upstream.router_sessions) == 1
    assert ask_composio.sessions(stack_of(world)) == (True,)
    world.settings = world.settings.model_copy(update={"mcp_server_ids": ""})
    world.start()
    assert endpoints(world) == {"session": after}
    run("remove", "work", "--yes")
