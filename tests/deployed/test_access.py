"""Who may use `/users`: whom IAM allows, and nobody else; and any text may be a user id."""

import contextlib
import json
from collections.abc import Iterator

import pytest
from botocore.credentials import Credentials

from tests.deployed.application import BOTH, GMAIL, SERVER, SLACK, Deployed, missing, someone
from tests.openapi import PATH, about_users


@contextlib.contextmanager
def employed(deployed: Deployed, *resources: str) -> Iterator[Credentials]:
    """Create an IAM user who may invoke these, as `GET/users/*`."""
    name = someone("application")
    api = deployed.stack.api_url.rsplit("/", 2)[1]
    arns = [f"arn:aws:execute-api:{deployed.stack.region}:*:{api}/live/{one}" for one in resources]
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": arns}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    deployed.iam.create_user(UserName=name)
    key = deployed.iam.create_access_key(UserName=name)["AccessKey"]
    if arns:
        deployed.iam.put_user_policy(
            UserName=name, PolicyName="application", PolicyDocument=json.dumps(policy)
        )
    yield Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def test_nobody_gets_in_whom_iam_does_not_know(deployed: Deployed) -> None:
    user, before = someone("guarded"), deployed.scan()
    deployed.composio.add_account(user, GMAIL)
    deployed.composio.clear_ledger()
    with employed(deployed, "*") as known:
        # Only the emulator accepts a wrong signature of root, so the forger uses another key.
        forger = Credentials(known.access_key, "an invented secret")
        stranger = Credentials("AKIAINVENTED00000000", "an invented secret")
        for method, path in about_users():
            below = path.removeprefix("/users/{user_id}").format(**PATH)
            for who in (None, forger, stranger):
                answer = deployed.ask(user, method, below, who=who)
                assert answer.status_code == 403, (method, path)
                assert user not in answer.text
    calls = deployed.composio.ledger(path="*/connected_accounts*")
    assert [call for call in calls if user in call["query"]] == []
    assert deployed.scan() == before


def test_application_may_do_what_its_policy_allows_and_no_more(deployed: Deployed) -> None:
    user = someone("policy")
    deployed.connect(user, GMAIL)
    with employed(deployed) as nothing, employed(deployed, "GET/users/*") as reader:
        assert deployed.ask(user, who=nothing).status_code == 403
        assert deployed.ask(user, who=reader).status_code == 200
        assert deployed.ask(user, "POST", "/refresh", who=reader).status_code == 403


def test_refresh_finds_accounts_without_an_event_and_show_answers_the_same(
    deployed: Deployed,
) -> None:
    user = someone("refresh")
    (server,) = deployed.ask(user).json()["targets"]
    assert (server["status"], missing(server)) == ("waiting", [GMAIL, SLACK])
    deployed.composio.add_account(user, GMAIL)
    (server,) = deployed.ask(user, "POST", "/refresh").json()["targets"]
    assert (server["status"], missing(server)) == ("waiting", [SLACK])
    deployed.composio.add_account(user, SLACK)

    found = deployed.ask(user, "POST", "/refresh")

    (server,) = found.json()["targets"]
    assert (server["server_id"], server["status"], server["missing"]) == (SERVER, "ready", [])
    assert server["record"]["id"] == deployed.record(user)["id"]
    shown = deployed.ask(user)
    assert shown.json() == found.json()
    assert shown.headers["cache-control"] == "private, no-cache"
    again = deployed.ask(user, known=shown.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert deployed.posts(user)["created"] == 1


ODD = ["a/b", "50%", "%2F", "../x/", "?a=1&b=", "#", "😀" * 254, "a b", "a+b", "é\x00", ".", ",'\""]


@pytest.mark.parametrize("odd", [*ODD, "ACCOUNTS#"], ids=lambda odd: ascii(odd[:10]))
def test_odd_user_id_is_one_user_and_no_other(deployed: Deployed, odd: str) -> None:
    user, listed = odd + someone(""), odd + someone("")
    before = deployed.scan()

    assert deployed.connect(user, *BOTH).instance == ("ready", [])
    shown = deployed.ask(user).json()
    assert (shown["user_id"], shown["targets"][0]["status"]) == (user, "ready")
    assert deployed.ask(user, "POST", "/refresh").json() == shown

    # One whose instance has to be found in Composio's list.
    deployed.composio.add_instances(SERVER, [listed])
    assert deployed.connect(listed, *BOTH).instance == ("ready", [])

    after = deployed.scan()
    keys = {
        (f"USER#{one}", sk) for one in (user, listed) for sk in ("ACCOUNTS", f"INSTANCE#{SERVER}")
    }
    assert {key for key in after if after[key] != before.get(key)} == keys
    for one in (user, listed):
        assert deployed.row(one)["record"]["id"] == deployed.record(one)["id"]
