"""The callback is open to everybody, but creates nothing for the wrong user."""

from typing import Any

import httpx
import pytest

from tests.deployed.application import GMAIL, SLACK, Deployed, someone

MISSING = "Connected. Something is still missing"
READY = "You are all set"
INVALID = "This link is not valid"


def come_back(deployed: Deployed, account_id: str, **query: Any) -> tuple[int, str]:
    """Come back from OAuth as a browser does; return the status and the heading of the page."""
    answer = httpx.get(
        deployed.stack.callback_url,
        params={"status": "success", "connected_account_id": account_id} | query,
        trust_env=False,
        timeout=60,
    )
    # The page names no account, and repeats nothing that came with the request.
    assert "ca_" not in answer.text
    assert not account_id or account_id not in answer.text
    return answer.status_code, answer.text.split("<h1>")[1].split("</h1>")[0]


def asked_for(deployed: Deployed, account_id: str) -> int:
    calls = deployed.composio.ledger(path="*/connected_accounts*")
    return sum(account_id in call["path"] + call["query"] for call in calls)


def test_ids_that_repeat_or_are_made_up_reach_composio_once_a_minute(deployed: Deployed) -> None:
    user, made_up = someone("repeated"), someone("ca_made_up_").replace("-", "_")
    real = deployed.composio.add_account(user, GMAIL)
    before = deployed.scan()
    for _ in range(12):
        assert come_back(deployed, made_up) == (404, INVALID)
        assert come_back(deployed, made_up, user_id=user) == (404, INVALID)
    # Each once by its id, and once as a pair with the user.
    assert asked_for(deployed, made_up) == 2
    assert deployed.scan() == before

    for _ in range(12):
        assert come_back(deployed, real) == (200, MISSING)
    assert asked_for(deployed, real) == 1


def test_malformed_id_is_refused_without_a_call_to_composio(deployed: Deployed) -> None:
    before = deployed.scan()
    deployed.composio.clear_ledger()
    for malformed in ("", "ca/../x", "ca_%0aINFO", "x" * 129, "ca_1' OR '1'='1", "<script>", "é"):
        assert come_back(deployed, malformed) == (400, INVALID)
    assert deployed.composio.ledger(path="*/connected_accounts*") == []
    assert deployed.scan() == before


def test_account_of_another_user_creates_nothing_for_whoever_claims_it(deployed: Deployed) -> None:
    ada, eve = someone("ada"), someone("eve")
    gmail, slack = (deployed.composio.add_account(ada, one) for one in (GMAIL, SLACK))
    deployed.composio.add_account(eve, GMAIL)
    before = deployed.scan()
    for foreign in (gmail, slack):
        assert come_back(deployed, foreign, user_id=eve) == (404, INVALID)
    assert deployed.scan() == before
    assert deployed.posts(ada)["posts"] == deployed.posts(eve)["posts"] == 0

    # An id without a user only brings forward what Composio would say anyway.
    assert come_back(deployed, gmail) == (200, MISSING)
    assert come_back(deployed, slack, user_id=ada) == (200, READY)
    assert deployed.record(ada)["instance_id"] == ada
    assert deployed.posts(eve)["posts"] == 0
    assert deployed.row(eve, "ACCOUNTS") == {}


@pytest.mark.parametrize(
    ("status", "said"),
    [("EXPIRED", "It was not connected"), ("INITIATED", "Almost there")],
)
def test_composio_decides_whether_it_succeeded_and_not_the_browser(
    deployed: Deployed, status: str, said: str
) -> None:
    user = someone(status.lower())
    slack = deployed.composio.add_account(user, SLACK)
    gmail = deployed.composio.add_account(user, GMAIL, status=status)
    assert come_back(deployed, slack) == (200, MISSING)
    assert come_back(deployed, gmail) == (200, said)
    assert deployed.posts(user)["posts"] == 0
    assert deployed.row(user) == {}


def test_account_that_is_revoked_after_the_instance_was_ready_creates_nothing_more(
    deployed: Deployed,
) -> None:
    user = someone("revoked")
    gmail, slack = (deployed.composio.add_account(user, one) for one in (GMAIL, SLACK))
    come_back(deployed, gmail)
    assert come_back(deployed, slack) == (200, READY)
    deployed.composio.change_account(gmail, status="REVOKED", webhook=False)
    assert come_back(deployed, gmail, user_id=user) == (200, "It was not connected")
    assert deployed.posts(user)["posts"] == 1
    assert deployed.record(user)["instance_id"] == user
