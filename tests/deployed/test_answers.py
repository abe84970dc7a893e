"""What each answer of Composio leads to in the deployed application."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.deployed.application import BOTH, GMAIL, SERVER, SLACK, Deployed, event, someone


def fault(deployed: Deployed, user: str, **more: Any) -> None:
    """Have Composio answer the user's create calls so."""
    deployed.composio.add_fault(method="POST", path="*/instances", user_id=user, **more)


def request_ids(deployed: Deployed, user: str) -> list[str]:
    calls = deployed.composio.ledger(method="POST", path="*/instances", user_id=user)
    return [call["request_id"] for call in calls]


@pytest.fixture
def refusing_port() -> Iterator[int]:
    """Hold a port on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.parametrize("status", [409, 400])
def test_an_instance_that_exists_already_is_adopted_with_its_record(
    deployed: Deployed, status: int
) -> None:
    user = someone("again")
    if status == 400:  # Composio's answer in January 2026
        fault(deployed, user, status=400, message=f"An instance with the id {user} already exists")
    # The search in the list of instances also finds ids that contain the user's.
    deployed.composio.add_instances(SERVER, [f"{user}0", user, f"0{user}"])
    assert deployed.connect(user, *BOTH).instance == ("ready", [])
    assert deployed.posts(user)["statuses"] == {str(status): 1}
    row = deployed.row(user)
    assert (row["status"], row["record"]["id"]) == ("ready", deployed.record(user)["id"])


def test_a_403_corrects_the_facts_and_the_account_that_comes_back_makes_it_ready(
    deployed: Deployed,
) -> None:
    user = someone("withdrawn")
    gmail = deployed.account(user, GMAIL)
    deployed.send(event(gmail))
    # EXPIRED at Composio without an event: the stored fact is still ACTIVE.
    deployed.composio.change_account(gmail["id"], status="EXPIRED")
    slack = deployed.account(user, SLACK)
    assert deployed.send(event(slack)).instance == ("waiting", [GMAIL])
    row = deployed.row(user)
    assert (row["status"], row["missing"]) == ("waiting", [GMAIL])
    assert row["last_error"]["status"] == 403
    facts = deployed.row(user, "ACCOUNTS")
    assert facts[f"account#{gmail['id']}"]["status"] == "EXPIRED"
    assert facts[f"account#{slack['id']}"]["status"] == "ACTIVE"
    deployed.composio.change_account(gmail["id"], status="ACTIVE")
    assert deployed.send(event(deployed.show(gmail["id"]))).instance == ("ready", [])
    assert deployed.row(user)["record"]["id"] == deployed.record(user)["id"]
    assert "missing" not in deployed.row(user)
    assert deployed.posts(user)["statuses"] == {"403": 1, "201": 1}


def test_a_refusal_is_failed_in_composios_words_and_tried_again_when_the_user_has_news(
    deployed: Deployed,
) -> None:
    user = someone("refused")
    fault(deployed, user, status=422, message="It is so", slug="Mcp_ItIsSo")
    assert deployed.connect(user, *BOTH).instance == ("failed", [])
    row = deployed.row(user)
    assert row["status"] == "failed"
    assert row["due_at"] >= time.time() + 0.9 * 3600 - 60
    error = row["last_error"]
    assert [error["request_id"]] == request_ids(deployed, user)
    assert (error["status"], error["message"], error["slug"], error["suggested_fix"]) == (
        422,
        "It is so",
        "Mcp_ItIsSo",
        "Check the request against the API reference",
    )
    assert deployed.connect(user, GMAIL).instance == ("ready", [])
    row = deployed.row(user)
    assert (row["status"], "last_error" in row) == ("ready", False)


def test_a_429_is_retried_no_sooner_than_composio_asks(deployed: Deployed) -> None:
    user = someone("eager")
    content = {"code": 10429, "slug": "HTTP_TooManyRequests"}
    fault(deployed, user, status=429, headers={"retry-after": "120"}, content=content)
    asked_at = int(time.time())
    assert deployed.connect(user, *BOTH).instance == ("retrying", [])
    row = deployed.row(user)
    assert (row["status"], row["attempts"]) == ("retrying", 1)
    assert row["due_at"] >= asked_at + 120
    error = row["last_error"]
    assert (error["message"], error["slug"]) == ("HTTP 429", "HTTP_TooManyRequests")
    assert [error["request_id"]] == request_ids(deployed, user)
    # Not before that time, even when an event arrives.
    assert deployed.connect(user, SLACK).instance == ("retrying", [])
    assert deployed.posts(user)["posts"] == 1


def test_a_500_is_repeated_once_and_then_retried_later(deployed: Deployed) -> None:
    user = someone("unlucky")
    fault(deployed, user, status=500, times=2, message="Not now")
    asked_at = int(time.time())
    assert deployed.connect(user, *BOTH).instance == ("retrying", [])
    row = deployed.row(user)
    assert (row["status"], row["attempts"]) == ("retrying", 1)
    assert row["due_at"] > asked_at
    error = row["last_error"]
    assert (error["status"], error["message"]) == (500, "Not now")
    assert error["request_id"] == request_ids(deployed, user)[1]
    assert deployed.posts(user)["posts"] == 2


def test_a_key_that_composio_rejects_is_retried_and_costs_no_fact(deployed: Deployed) -> None:
    user = someone("locked-out")
    bodies = [event(deployed.account(user, one)) for one in BOTH]
    deployed.composio.set_api_keys("ak_of_somebody_else")
    assert [deployed.send(body).instance[0] for body in bodies] == ["waiting", "retrying"]
    row = deployed.row(user)
    assert (row["status"], row["last_error"]["status"]) == ("retrying", 401)
    assert row["last_error"]["slug"] == "APIKey_InvalidAPIKey"


@pytest.mark.parametrize("lost", ["before", "after"])
def test_an_answer_that_is_lost_once_ends_ready_with_one_instance(
    deployed: Deployed, lost: str
) -> None:
    user = someone("cut-off")
    fault(deployed, user, lose_answer=lost)
    assert deployed.connect(user, *BOTH).instance == ("ready", [])
    assert deployed.row(user)["record"]["id"] == deployed.record(user)["id"]
    posts = deployed.posts(user)
    assert (posts["posts"], posts["created"], posts["max_in_flight"]) == (2, 1, 1)


def test_answers_that_come_too_late_are_no_answers(deployed: Deployed) -> None:
    """Both users at once, because each lost answer takes six seconds."""
    once, always = someone("slow"), someone("slower")
    fault(deployed, once, latency=7, latency_at="after")
    fault(deployed, always, latency=7, times=2)
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda user: deployed.connect(user, *BOTH).instance, (once, always))
        assert list(answers) == [("ready", []), ("retrying", [])]
    assert deployed.posts(once)["statuses"] == {"None": 1, "409": 1}
    assert deployed.row(once)["record"]["id"] == deployed.record(once)["id"]
    row = deployed.row(always)
    assert (row["status"], row["last_error"]["status"]) == ("retrying", None)
    assert "ReadTimeout" in row["last_error"]["message"]
    assert (deployed.posts(always)["posts"], deployed.posts(always)["max_in_flight"]) == (2, 1)


def test_a_composio_that_refuses_the_connection_costs_no_fact(
    deployed: Deployed, refusing_port: int
) -> None:
    user = someone("offline")
    home = deployed.environment()["COMPOSIO_BASE_URL"]
    deployed.renew(COMPOSIO_BASE_URL=f"http://127.0.0.1:{refusing_port}")
    try:
        assert deployed.connect(user, *BOTH).instance == ("retrying", [])
    finally:
        deployed.renew(COMPOSIO_BASE_URL=home)
    row = deployed.row(user)
    assert (row["status"], row["last_error"]["status"]) == ("retrying", None)
    assert "ConnectError" in row["last_error"]["message"]
    assert len([name for name in deployed.row(user, "ACCOUNTS") if "account#" in name]) == len(BOTH)
    assert deployed.posts(user)["posts"] == 0
