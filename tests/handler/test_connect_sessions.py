"""A connect session: how the application makes it, what is stored and logged, and its end."""

import json
from typing import Any

import pytest

from handler.connect_rules import digest
from tests.doubles import Counted, Log
from tests.handler.connect_world import RETURN_URL, Browser, ConnectWorld, connected, started
from tests.world import GMAIL, SERVER, SLACK, World


@pytest.fixture
def world() -> ConnectWorld:
    return ConnectWorld()


def test_no_session_is_made_when_no_server_is_enrolled() -> None:
    made = ConnectWorld(enrolled=()).session()

    assert made["statusCode"] == 400
    assert "no MCP server is enrolled" in made["body"]["error"]["message"]


def test_late_return_to_an_ended_session_is_redirected(world: ConnectWorld) -> None:
    browser, sid = started(world)
    cookies = dict(browser.cookies)
    end = connected(browser, sid, GMAIL, SLACK)
    assert browser.get("/connect").status == 404

    browser.cookies = cookies  # the answer that took the cookie away was lost
    again = browser.get("/connect/return", connected_account_id="ca_made_2")
    assert (again.status, again.location) == (303, end.location)
    assert browser.connect(sid, GMAIL).status == 404


def test_metrics_and_logs_show_progress_and_no_secrets(
    world: ConnectWorld, counted: Counted, log: Log
) -> None:
    token = world.token(label="ada-label", return_url=f"{RETURN_URL}?state=app-state")
    browser = Browser(world)
    browser.start(token)
    connected(browser, digest(token), GMAIL, SLACK)

    found = counted()
    assert {name: found[name] for name in found if name.startswith("Connect")} == {
        "ConnectSession": 1,
        "ConnectStarted": 1,
        "ConnectLink": 2,
        "ConnectFinished": 1,
    }
    lines = [one for one in log.lines if one["message"].startswith("connect session")]
    assert [one["message"] for one in lines] == ["connect session made", "connect session finished"]
    assert {one["session"] for one in lines} == {digest(token)[:8]}
    secrets = [token, digest(token), world.stored(token)["browser"]]
    for text in (*secrets, "ada-label", "app-state", "connect.invalid", "user_1"):
        assert text not in log.text


def test_session_is_stored_without_its_token(world: ConnectWorld) -> None:
    token = world.token(label=" Ada ")
    browser = Browser(world)
    browser.start(token)
    row = world.stored(token)
    secret = next(iter(browser.cookies.values())).partition(".")[2]

    stored = json.dumps(row, default=str)
    assert token not in stored
    assert secret not in stored
    assert row["browser"] == digest(secret)
    assert (row["label"], row["ttl"] - row["expires_at"]) == ("Ada", 900)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"server_id": "srv_other"}, 400, "server_id"),
        ({"server_id": "a b"}, 400, "server_id"),
        ({"profile": "other"}, 400, "profile"),
        ({"lable": "x"}, 400, "lable"),
        ({"label": 7}, 400, "label"),
        ({"label": "x" * 81}, 400, "label"),
        ({"label": "a\u202eb"}, 400, "label"),
        ({"label": "a\nb"}, 400, "label"),
        ({"return_url": "https://other.invalid/"}, 400, "return_url"),
        ([], 400, ""),
        ("x" * 5000, 413, "4096"),
    ],
)
def test_invalid_session_request_is_refused_and_nothing_is_stored(
    world: ConnectWorld, body: Any, status: int, said: str
) -> None:
    answer = world.ask(
        "POST",
        "/users/{user_id}/connect-sessions",
        pathParameters={"user_id": "user_1"},
        body=json.dumps(body),
    )

    assert answer["statusCode"] == status
    assert said in json.loads(answer["body"])["error"]["message"]
    assert world.writes() == []


@pytest.mark.parametrize("body", [{}, {"server_id": SERVER}])
def test_session_is_not_made_while_the_requirements_are_unknown(body: dict[str, str]) -> None:
    world = World()
    world.upstream.down = True
    asked = {"pathParameters": {"user_id": "user_1"}, "body": json.dumps(body)}
    answer = world.ask("POST", "/users/{user_id}/connect-sessions", **asked)
    assert answer["statusCode"] == 503


def test_session_for_an_invalid_user_id_is_refused(world: ConnectWorld) -> None:
    assert world.session("%ff")["statusCode"] == 400
