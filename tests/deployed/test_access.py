"""Who gets in to `/users`: whom IAM knows, and nobody else; and each user id is its own."""

import contextlib
import json
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.deployed.application import BOTH, GMAIL, SERVER, SLACK, Deployed, missing, someone
from tests.openapi import PATH, about_users

ROOT = Credentials("test", "test")
ROUTES = [
    (method, path.removeprefix("/users/{user_id}").format(**PATH)) for method, path in about_users()
]


def ask(
    deployed: Deployed,
    user_id: str,
    method: str = "GET",
    below: str = "",
    *,
    who: Credentials | None = ROOT,
    known: str = "",
) -> httpx.Response:
    """Ask for a user, signed as AWS's own clients sign."""
    url = f"{deployed.stack.api_url}/users/{quote(user_id, safe='')}{below}"
    request = AWSRequest(method, url, {"if-none-match": known} if known else {})
    if who:
        SigV4Auth(who, "execute-api", deployed.stack.region).add_auth(request)
    return httpx.request(method, url, headers=dict(request.headers), trust_env=False, timeout=60)


@contextlib.contextmanager
def employed(deployed: Deployed, *resources: str) -> Iterator[Credentials]:
    """Let there be an IAM user who may invoke these, as `GET/users/*`."""
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
    try:
        yield Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    finally:
        with contextlib.suppress(deployed.iam.exceptions.NoSuchEntityException):
            deployed.iam.delete_user_policy(UserName=name, PolicyName="application")
        deployed.iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        deployed.iam.delete_user(UserName=name)


@pytest.mark.parametrize(("method", "below"), ROUTES)
def test_nobody_gets_in_whom_iam_does_not_know(deployed: Deployed, method: str, below: str) -> None:
    user, before = someone("guarded"), deployed.scan()
    deployed.composio.add_account(user, GMAIL)
    deployed.composio.clear_ledger()
    with employed(deployed, "*") as known:
        # Seen on the emulator and otherwise on AWS: the root's own signature is not checked.
        forger = Credentials(known.access_key, "an invented secret")
        for who in (None, forger, Credentials("AKIAINVENTED00000000", "an invented secret")):
            answer = ask(deployed, user, method, below, who=who)
            assert answer.status_code == 403
            assert user not in answer.text
    calls = deployed.composio.ledger(path="*/connected_accounts*")
    assert [call for call in calls if user in call["query"]] == []
    assert deployed.scan() == before


def test_application_gets_in_where_its_policy_lets_it_and_nowhere_else(
    deployed: Deployed,
) -> None:
    user = someone("policy")
    deployed.connect(user, GMAIL)
    with employed(deployed) as nothing, employed(deployed, "GET/users/*") as reader:
        assert ask(deployed, user, who=nothing).status_code == 403
        assert ask(deployed, user, who=reader).status_code == 200
        assert ask(deployed, user, "POST", "/refresh", who=reader).status_code == 403


def test_refresh_finds_what_no_event_told_of_and_creates_and_show_tells_the_same(
    deployed: Deployed,
) -> None:
    user = someone("refresh")
    (server,) = ask(deployed, user).json()["targets"]
    assert (server["status"], missing(server)) == ("waiting", [GMAIL, SLACK])
    deployed.composio.add_account(user, GMAIL)
    (server,) = ask(deployed, user, "POST", "/refresh").json()["targets"]
    assert (server["status"], missing(server)) == ("waiting", [SLACK])
    deployed.composio.add_account(user, SLACK)

    found = ask(deployed, user, "POST", "/refresh")

    (server,) = found.json()["targets"]
    assert (server["server_id"], server["status"], server["missing"]) == (SERVER, "ready", [])
    assert server["record"]["id"] == deployed.record(user)["id"]
    shown = ask(deployed, user)
    assert shown.json() == found.json()
    assert shown.headers["cache-control"] == "private, no-cache"
    again = ask(deployed, user, known=shown.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert deployed.posts(user)["created"] == 1


@pytest.mark.parametrize(
    "odd", ["a/b", "50%", "%41", "%2F", "\U0001f600", "a b", "a+b", "#?&=;", "é\x00", "."]
)
def test_odd_user_id_comes_back_as_it_was_sent(deployed: Deployed, odd: str) -> None:
    user = odd + someone("")
    for auth_config_id in BOTH:
        deployed.composio.add_account(user, auth_config_id)

    refreshed = ask(deployed, user, "POST", "/refresh")

    assert refreshed.status_code == 200
    assert refreshed.json()["user_id"] == user
    assert ask(deployed, user).json() == refreshed.json()
    assert deployed.row(user)["status"] == "ready"
