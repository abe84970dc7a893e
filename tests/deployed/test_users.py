"""User ids are the application's, and may hold anything: each is one user, and only that one."""

import pytest

from tests.deployed.application import BOTH, SERVER, Deployed, someone

ODD = [
    "#",
    "/",
    "%",
    "%2F",
    "../x/",
    "?a=1&b=",
    "😀",
    "é",
    " ",
    "\x00",
    ",",
    "'\"",
    "ACCOUNTS#",
    "😀" * 254,
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: ascii(odd[:10]))
def test_an_odd_user_id_is_a_user_like_any_other(deployed: Deployed, odd: str) -> None:
    user = odd + someone("")
    before = deployed.scan()
    assert deployed.connect(user, *BOTH).instance == ("ready", [])
    assert deployed.row(user)["record"]["id"] == deployed.record(user)["id"]
    after = deployed.scan()
    written = {(f"USER#{user}", "ACCOUNTS"), (f"USER#{user}", f"INSTANCE#{SERVER}")}
    assert {key for key in after if after[key] != before.get(key)} == written


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: ascii(odd[:10]))
def test_the_instance_of_an_odd_user_id_is_found_in_composios_list(
    deployed: Deployed, odd: str
) -> None:
    user = odd + someone("")
    deployed.composio.add_instances(SERVER, [user])
    assert deployed.connect(user, *BOTH).instance == ("ready", [])
    assert deployed.row(user)["record"]["id"] == deployed.record(user)["id"]
