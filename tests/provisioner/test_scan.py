"""Who is waiting follows from the accounts, whatever the order of the rows."""

from typing import Any

import pytest

from handler.account_table import account_to_row, accounts_key
from handler.target_table import target_key
from handler.targets import Status, Target
from provisioner.errors import Trouble
from provisioner.scan import combined, kept, of_row
from tests.world import GMAIL, SERVER, SLACK, TARGET, account

SERVERS = [Target(SERVER, frozenset({GMAIL, SLACK}))]


def facts(user: str, *auth_configs: str) -> dict[str, Any]:
    known = (account(one, user=user) for one in auth_configs)
    return accounts_key(user) | {f"account#{one.id}": account_to_row(one) for one in known}


def stored(user: str, status: str) -> dict[str, Any]:
    key = target_key(user, TARGET)
    return {**key, "status": status, "attempts": 2, "claim_token": "t"}


ROWS = [
    facts("lacks slack", GMAIL),
    facts("complete", GMAIL, SLACK),
    facts("not ours", "ac_other"),
    facts("is ready", GMAIL),
    stored("is ready", "ready"),
    facts("told to wait", SLACK),
    stored("told to wait", "waiting"),
    facts("has failed", GMAIL, SLACK),
    stored("has failed", "failed"),
    stored("without facts", "waiting"),
    {"pk": "CATALOG", "sk": "SYNCED"},
]


@pytest.mark.parametrize("rows", [ROWS, ROWS[::-1]], ids=["", "reversed"])
def test_waiting_follows_from_the_accounts(rows: list[dict[str, Any]]) -> None:
    wanted = frozenset({Status.WAITING, Status.FAILED})

    found = combined(part for row in rows for part in kept(row, wanted, SERVERS))

    assert {one.user_id: (one.status.value, *one.missing) for one in found} == {
        "lacks slack": ("waiting", SLACK),
        "complete": ("waiting",),
        "told to wait": ("waiting", GMAIL),
        "has failed": ("failed",),
    }
    assert {one.user_id for one in found if one.attempts} == {"told to wait", "has failed"}


def test_a_status_of_another_release_is_an_error() -> None:
    row = stored("user_1", "resting")

    with pytest.raises(Trouble, match="a status that this release does not have: resting"):
        of_row(row)
    with pytest.raises(Trouble, match="resting"):
        list(kept(row, frozenset({Status.WAITING}), SERVERS))
