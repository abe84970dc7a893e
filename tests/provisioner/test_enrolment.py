"""What 'init' tells of the users, and keeps in samconfig for the next deploy."""

from pathlib import Path

import pytest

from handler.targets import Target
from provisioner import samconfig
from provisioner.enrolment import counted, followers, following
from tests.provisioner.found_stack import stack_of
from tests.world import GMAIL, SERVER, SLACK, World, account, as_composio_has_it


def test_users_are_counted_who_have_every_account_enabled() -> None:
    both, idle = Target("both", frozenset({GMAIL, SLACK})), Target("idle", frozenset())
    facts = [account(GMAIL), account(SLACK), account(GMAIL, user="user_2")]
    second = account(SLACK, user="user_2")

    assert counted([both, idle], facts) == {"both": 1}
    assert counted([both], [*facts, second._replace(is_disabled=True)]) == {"both": 1}
    assert counted([both], [*facts, second]) == {"both": 2}


def test_the_number_of_users_is_a_minimum_if_not_all_pages_are_read() -> None:
    world = World()
    world.upstream.page = 1
    for one in (account(GMAIL, at=2), account(SLACK, at=1), account(SLACK, id="ca_3", user="u")):
        world.upstream.accounts[one.id] = as_composio_has_it(one)
    server = Target(SERVER, frozenset({GMAIL, SLACK}))

    shown = [followers(stack_of(world), [server], pages).of(SERVER) for pages in (1, 2, 3)]
    assert shown == ["at least 0 users", "at least 1 user", "1 user"]
    assert followers(stack_of(world), [], 5).complete


@pytest.mark.parametrize(
    ("release", "next_"), [("9", "10"), ("v1.9", "v1.10"), ("spring", "spring2")]
)
def test_the_next_release_has_the_next_number(release: str, next_: str) -> None:
    assert following(release) == next_


def deploy(line: str) -> str:
    return f"# kept\n[default.deploy.parameters]\n{line}\n"


@pytest.mark.parametrize(
    ("before", "server_ids", "after"),
    [
        (r'"McpServerIds=\"\" Release=\"1\""', "a,b", r'"McpServerIds=\"a,b\" Release=\"2\""'),
        (r'"McpServerIds=\"a\" Rollout=x"', "", r'"McpServerIds=\"\" Rollout=x"'),
        ("'McpServerIds=\"*\"'", "a", "'McpServerIds=\"a\"'"),
        ('["McpServerIds=a", "Release=1"]', "*", '["McpServerIds=*", "Release=2"]'),
        ('"ReturnUrl=https://x/?a=b"', "a", '"ReturnUrl=https://x/?a=b"'),
        ('"McpServerIds=a"', "", None),
        ('"ParameterKey=McpServerIds,ParameterValue=a"', "b", None),
    ],
)
def test_samconfig_keeps_what_the_next_deploy_would_undo(
    before: str, server_ids: str, after: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "samconfig.toml"
    file.write_text(deploy(f"parameter_overrides = {before}"))

    message = samconfig.keep(file, {"McpServerIds": server_ids, "Release": "2"})

    assert file.read_text() == deploy(f"parameter_overrides = {after or before}")
    assert message[:6] == {None: "sam de", before: ""}.get(after, "set in")
