"""API keys, faults, the ledger and the control routes of the simulator."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from local.simulator.client import Simulator
from tests.local.api_calls import connect, create, error, items
from tests.world import API_KEY


@pytest.mark.usefixtures("simulator")
def test_a_wrong_key_and_no_key_are_told_apart(browser: httpx.Client) -> None:
    wrong = browser.get("/api/v3/mcp/servers", headers={"x-api-key": "ak_wrong"})
    none = browser.get("/api/v3/mcp/servers")
    assert (wrong.status_code, error(wrong)["code"], error(wrong)["slug"]) == (
        401,
        801,
        "APIKey_InvalidAPIKey",
    )
    assert (none.status_code, error(none)["code"], error(none)["slug"]) == (
        401,
        906,
        "Auth_NoAuthProvided",
    )
    assert wrong.headers["x-request-id"] == error(wrong)["request_id"]
    assert error(wrong)["suggested_fix"]


def test_a_users_key_is_taken_except_for_mcp(simulator: Simulator, browser: httpx.Client) -> None:
    assert simulator.url
    key = {"x-user-api-key": API_KEY}
    assert browser.get("/api/v3.1/connected_accounts", headers=key).status_code == 200
    assert browser.get("/api/v3.1/mcp/servers", headers=key).status_code == 401


def test_a_rotated_key_replaces_the_old_one(simulator: Simulator, api: httpx.Client) -> None:
    simulator.set_api_keys("ak_new")
    assert api.get("/api/v3/auth_configs").status_code == 401
    new = {"x-api-key": "ak_new"}
    assert api.get("/api/v3/auth_configs", headers=new).status_code == 200


@pytest.mark.parametrize(("moment", "then"), [("before", 201), ("after", 409)])
def test_an_answer_gets_lost_before_or_after_the_commit(
    simulator: Simulator, api: httpx.Client, moment: str, then: int
) -> None:
    connect(simulator, "ada")
    simulator.add_fault(method="POST", path="*/instances", user_id="ada", lose_answer=moment)
    with pytest.raises(httpx.RemoteProtocolError):
        create(api)
    assert create(api).status_code == then
    assert simulator.instance_posts()[0]["created"] == 1


def test_faults_answer_what_they_are_told_and_run_out(
    simulator: Simulator, api: httpx.Client
) -> None:
    connect(simulator, "ada")
    limited, wait = {"message": "Rate limit exceeded"}, {"retry-after": "7"}
    simulator.add_fault(path="*/instances", status=429, content=limited, headers=wait)
    simulator.add_fault(path="*/instances", status=410, headers={"sunset": "soon"})
    simulator.add_fault(path="*/instances", content="<h1>proxy</h1>")
    simulator.add_fault(path="*/instances", headers={"deprecation": "true"}, latency=0.01)
    answers = [create(api) for _ in range(5)]
    assert [each.status_code for each in answers] == [429, 410, 200, 201, 409]
    assert (answers[0].json(), answers[0].headers["retry-after"]) == (limited, "7")
    assert error(answers[1])["request_id"] == answers[1].headers["x-request-id"]
    assert answers[2].headers["content-type"].startswith("text/html")
    assert [each.headers.get("deprecation") for each in answers[3:]] == ["true", None]


def listed(api: httpx.Client, **query: str) -> httpx.Response:
    return api.get("/api/v3.1/connected_accounts", params={"limit": "1", **query})


@pytest.mark.parametrize("status", [200, 403, 404, 429, 503])
def test_a_proxy_answers_with_any_status_on_any_route(
    simulator: Simulator, api: httpx.Client, status: int
) -> None:
    wait = {"retry-after": "9"}
    simulator.add_fault(path="*", status=status, content="<h1>proxy</h1>", headers=wait, times=2)
    for answer in (listed(api), api.get("/v3/mcp/srv_demo")):
        assert (answer.status_code, answer.text) == (status, "<h1>proxy</h1>")
        assert answer.headers["retry-after"] == "9"


def test_a_fault_of_one_user_spares_the_others(simulator: Simulator, api: httpx.Client) -> None:
    simulator.add_fault(user_id="eve", status=500, times=None)
    statuses = [create(api, user).status_code for user in ("ada", "eve", "eve", "ada")]
    assert statuses == [403, 500, 500, 403]
    simulator.clear_faults()
    assert create(api, "eve").status_code == 403


def test_the_ledger_holds_no_key(
    simulator: Simulator, api: httpx.Client, browser: httpx.Client
) -> None:
    api.get("/api/v3/auth_configs?limit=5")
    raw = browser.get("/_control/ledger").text
    assert API_KEY not in raw
    entry = simulator.ledger(path="*auth_configs")[0]
    assert (entry["query"], entry["status"], entry["key_ok"]) == ("limit=5", 200, True)
    simulator.clear_ledger()
    assert simulator.ledger() == []


@pytest.mark.usefixtures("simulator")
def test_control_refuses_unknown_fields_and_foreign_hosts(browser: httpx.Client) -> None:
    url = "/_control/options"
    assert browser.patch(url, json={"latencies": 1}).status_code == 400
    foreign = browser.get("/_control/state", headers={"host": "evil.example"})
    assert foreign.status_code == 403


def test_thousands_of_users_are_added_in_a_moment(simulator: Simulator, api: httpx.Client) -> None:
    started = time.monotonic()
    simulator.add_accounts({"user_id": f"u{n}", "auth_config_id": "ac_gmail"} for n in range(5000))
    assert len(items(api.get("/api/v3/connected_accounts?limit=50"))) == 50
    assert time.monotonic() - started < 2


@pytest.mark.slow  # two processes, each a second of a core: as much as a tenth of the fast tests
def test_it_stops_at_once_with_a_call_under_way() -> None:
    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(stopped_by, [signal.SIGTERM, signal.SIGINT]))
    assert codes == [0, 0]


def stopped_by(number: signal.Signals) -> int:
    command = [sys.executable, "-m", "local.simulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        assert process.stdout is not None
        url = urlsplit(json.loads(process.stdout.readline())["url"])
        assert url.hostname == "127.0.0.1"
        with contextlib.closing(Simulator(url.geturl())) as simulator:
            simulator.add_fault(latency=60)
            with socket.create_connection(("127.0.0.1", url.port or 0)) as waiting:
                waiting.sendall(b"GET /api/v3/auth_configs HTTP/1.1\r\nHost: localhost\r\n\r\n")
                while not simulator.ledger():
                    time.sleep(0.01)
                process.send_signal(number)
                return process.wait(3)
