"""The simulated REST API, over real connections."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from local.simulator.client import Simulator
from tests.world import API_KEY as KEY

INSTANCES = "/api/v3/mcp/servers/srv_demo/instances"


@pytest.fixture
def simulator(simulated: Simulator) -> Simulator:
    simulated.reset()
    return simulated


@pytest.fixture(scope="module")
def api(simulated: Simulator) -> Iterator[httpx.Client]:
    headers = {"x-api-key": KEY}
    with httpx.Client(base_url=simulated.url, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def browser(simulated: Simulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=simulated.url, trust_env=False) as client:
        yield client


def connect(simulator: Simulator, user_id: str) -> None:
    simulator.add_accounts(
        [{"user_id": user_id, "auth_config_id": each} for each in ("ac_gmail", "ac_slack")]
    )


def create(api: httpx.Client, user_id: str = "ada") -> httpx.Response:
    return api.post(INSTANCES, json={"user_id": user_id})


def error(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    return found


def items(answer: httpx.Response) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
    return found


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


def test_a_rotated_key_replaces_the_old_one(simulator: Simulator, api: httpx.Client) -> None:
    simulator.set_api_keys("ak_new")
    assert api.get("/api/v3/auth_configs").status_code == 401
    new = {"x-api-key": "ak_new"}
    assert api.get("/api/v3/auth_configs", headers=new).status_code == 200


def test_an_instance_needs_every_account_and_is_created_once(
    simulator: Simulator, api: httpx.Client
) -> None:
    assert create(api).status_code == 403
    simulator.add_account("ada", "ac_gmail")
    assert error(create(api))["errors"] == ["missing auth config: ac_slack"]
    simulator.add_account("ada", "ac_slack")
    created = create(api)
    assert created.status_code == 201
    assert set(created.json()) == {
        "id",
        "instance_id",
        "mcp_server_id",
        "created_at",
        "updated_at",
    }
    assert (created.json()["instance_id"], created.json()["mcp_server_id"]) == ("ada", "srv_demo")
    assert create(api).status_code == 409


@pytest.mark.parametrize("status", ["INITIATED", "FAILED", "EXPIRED", "INACTIVE", "REVOKED"])
def test_only_active_accounts_count(simulator: Simulator, api: httpx.Client, status: str) -> None:
    simulator.add_account("ada", "ac_gmail")
    slack = simulator.add_account("ada", "ac_slack", status=status)
    assert create(api).status_code == 403
    simulator.change_account(slack, status="ACTIVE", is_disabled=True)
    assert create(api).status_code == 403
    simulator.change_account(slack, is_disabled=False)
    simulator.disable_auth_config("ac_slack")
    assert create(api).status_code == 403
    simulator.disable_auth_config("ac_slack", disabled=False)
    assert create(api).status_code == 201


@pytest.mark.parametrize("body", [b"", b"{}", b'{"user_id": ""}', b'{"user_id": 7}', b"[]", b"no"])
def test_a_create_call_without_a_user_is_invalid(api: httpx.Client, body: bytes) -> None:
    answer = api.post(INSTANCES, content=body)
    assert (answer.status_code, error(answer)["code"]) == (400, 1803)


def test_an_unknown_server_is_not_found(api: httpx.Client) -> None:
    assert api.post("/api/v3/mcp/servers/none/instances", json={"user_id": "a"}).status_code == 404
    assert api.get("/api/v3/mcp/none").status_code == 404


def test_both_versions_of_the_api_are_served(simulator: Simulator, api: httpx.Client) -> None:
    connect(simulator, "ada")
    path = INSTANCES.replace("v3", "v3.1")
    assert api.post(path, json={"user_id": "ada"}).status_code == 201
    assert simulator.instance_posts("ada")[0]["created"] == 1


def test_ids_in_paths_are_percent_decoded(simulator: Simulator, api: httpx.Client) -> None:
    user_id = "team/ada @b%2F"
    connect(simulator, user_id)
    assert create(api, user_id).status_code == 201
    encoded = "team%2Fada%20%40b%252F"
    deleted = api.delete(f"{INSTANCES}/{encoded}")
    assert deleted.json()["deleted_connected_accounts"] == 2
    assert simulator.ledger(method="DELETE")[0]["path"].endswith(user_id)
    assert simulator.state()["accounts"] == []


def test_instances_are_searched_by_parts_of_the_id(simulator: Simulator, api: httpx.Client) -> None:
    simulator.add_instances("srv_demo", ["ada", "adam", "eve"])
    page = api.get(INSTANCES, params={"search": "ada", "limit": "1"}).json()
    assert [each["instance_id"] for each in page["instances"]] == ["adam"]
    assert (page["total_pages"], page["current_page"], page["server_id"]) == (2, 1, "srv_demo")


def test_accounts_are_paged_filtered_and_ordered(simulator: Simulator, api: httpx.Client) -> None:
    connect(simulator, "eve")
    simulator.add_accounts(
        [{"user_id": f"u{n}", "auth_config_id": "ac_gmail", "id": f"ca_{n}"} for n in range(7)]
    )
    simulator.change_account("ca_0", status="EXPIRED")
    params = {"statuses": "ACTIVE,INITIATED", "auth_config_ids": "ac_gmail", "limit": "3"}
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = api.get(
            "/api/v3/connected_accounts", params=params | ({"cursor": cursor} if cursor else {})
        ).json()
        found += [each["id"] for each in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert (found[:6], pages) == (["ca_6", "ca_5", "ca_4", "ca_3", "ca_2", "ca_1"], 3)
    newest = items(api.get("/api/v3/connected_accounts", params={"order_by": "updated_at"}))[0]
    assert newest["id"] == "ca_0"
    assert len(items(api.get("/api/v3/connected_accounts?user_ids=u1&user_ids=u2"))) == 2
    assert len(items(api.get("/api/v3/connected_accounts?toolkit_slugs=slack"))) == 1


@pytest.mark.parametrize(
    "query", ["statuses=OPEN", "limit=0", "cursor=x", "order_by=id", "account_type=MINE"]
)
def test_a_senseless_query_is_invalid(api: httpx.Client, query: str) -> None:
    assert api.get(f"/api/v3/connected_accounts?{query}").status_code == 400


def test_shared_accounts_are_hidden_unless_asked_for(
    simulator: Simulator, api: httpx.Client
) -> None:
    simulator.add_account("ada", "ac_gmail", account_type="SHARED")
    assert items(api.get("/api/v3/connected_accounts")) == []
    assert len(items(api.get("/api/v3/connected_accounts?account_type=ALL"))) == 1


def test_a_user_connects_through_the_consent_page(
    simulator: Simulator, api: httpx.Client, browser: httpx.Client
) -> None:
    asked = {
        "auth_config_id": "ac_gmail",
        "user_id": "ada",
        "callback_url": "https://app.example/back?tab=1&x=",
    }
    answer = api.post("/api/v3/connected_accounts/link", json=asked)
    link = answer.json()
    assert answer.status_code == 201
    assert set(link) == {"link_token", "redirect_url", "expires_at", "connected_account_id"}
    path = f"/api/v3/connected_accounts/{link['connected_account_id']}"
    assert api.get(path).json()["status"] == "INITIALIZING"
    page = browser.get(link["redirect_url"])
    assert '<button type="submit" name="decision" value="allow">' in page.text
    waiting = api.get(path).json()
    assert waiting["status"] == "INITIATED"
    assert simulator.consent(link["redirect_url"]) == (
        f"https://app.example/back?tab=1&x=&status=success"
        f"&connected_account_id={link['connected_account_id']}"
    )
    active = api.get(path).json()
    assert active["status"] == "ACTIVE"
    assert waiting["updated_at"] < active["updated_at"]
    assert browser.get(link["redirect_url"]).status_code == 410


def test_a_denied_connection_fails(simulator: Simulator, api: httpx.Client) -> None:
    asked = {"auth_config_id": "ac_gmail", "user_id": "ada"}
    link = api.post("/api/v3/connected_accounts/link", json=asked).json()
    assert simulator.consent(link["redirect_url"], allow=False) is None
    account = api.get(f"/api/v3/connected_accounts/{link['connected_account_id']}").json()
    assert account["status"] == "FAILED"


def test_a_link_dies_after_ten_minutes(
    simulator: Simulator, api: httpx.Client, browser: httpx.Client
) -> None:
    asked = {"auth_config_id": "ac_gmail", "user_id": "ada"}
    link = api.post("/api/v3/connected_accounts/link", json=asked).json()
    simulator.advance_clock(599)
    assert browser.get(link["redirect_url"]).status_code == 200
    simulator.advance_clock(1)
    account = api.get(f"/api/v3/connected_accounts/{link['connected_account_id']}").json()
    assert account["status"] == "EXPIRED"
    assert browser.get(link["redirect_url"]).status_code == 410


def test_oauth_that_composio_manages_is_connected_through_a_link_only(api: httpx.Client) -> None:
    account = {"auth_config": {"id": "ac_gmail"}, "connection": {"user_id": "ada"}}
    assert api.post("/api/v3/connected_accounts", json=account).status_code == 400


def test_a_callback_must_be_a_web_page(api: httpx.Client) -> None:
    asked = {"auth_config_id": "ac_gmail", "user_id": "a", "callback_url": "javascript:alert(1)"}
    assert api.post("/api/v3/connected_accounts/link", json=asked).status_code == 400


def test_accounts_are_disabled_enabled_revoked_and_deleted(
    simulator: Simulator, api: httpx.Client
) -> None:
    path = f"/api/v3/connected_accounts/{simulator.add_account('ada', 'ac_gmail')}"
    stamps = [api.get(path).json()["updated_at"]]
    for method, verb, body, expected in [
        ("PATCH", "status", {"enabled": False}, "INACTIVE"),
        ("PATCH", "status", {"enabled": True}, "ACTIVE"),
        ("POST", "revoke", {}, "REVOKED"),
    ]:
        assert api.request(method, f"{path}/{verb}", json=body).json() == {"success": True}
        account = api.get(path).json()
        assert account["status"] == expected
        stamps.append(account["updated_at"])
    assert all(before < after for before, after in pairwise(stamps))
    assert api.delete(path).status_code == 200
    gone = api.get(path)
    assert (gone.status_code, error(gone)["code"]) == (404, 1810)


def test_a_server_is_made_changed_and_deleted(api: httpx.Client) -> None:
    made = api.post("/api/v3/mcp/servers", json={"name": "mine", "auth_config_ids": ["ac_gmail"]})
    assert made.status_code == 201
    path = f"/api/v3/mcp/{made.json()['id']}"
    changed = api.patch(path, json={"auth_config_ids": ["ac_slack"]})
    assert changed.json()["toolkits"] == ["slack"]
    assert items(api.get("/api/v3/mcp/servers?limit=1"))[0]["id"] == made.json()["id"]
    assert api.delete(path).json()["deleted"] is True
    assert api.get(path).status_code == 404
    assert api.post("/api/v3/mcp/servers", json={"name": "a_b"}).status_code == 400


@pytest.mark.usefixtures("simulator")
def test_auth_configs_and_servers_can_be_added_under_known_ids(api: httpx.Client) -> None:
    config = {"id": "ac_github", "toolkit": "github", "auth_scheme": "API_KEY"}
    assert api.post("/_control/auth_configs", json=config).status_code == 201
    assert items(api.get("/api/v3/auth_configs?toolkit_slug=github"))[0]["id"] == "ac_github"
    server = {"id": "srv_mine", "name": "mine", "auth_config_ids": ["ac_github"]}
    assert api.post("/_control/servers", json=server).status_code == 201
    account = {"auth_config": {"id": "ac_github"}, "connection": {"user_id": "ada"}}
    made = api.post("/api/v3/connected_accounts", json=account)
    assert (made.status_code, made.json()["status"]) == (201, "ACTIVE")
    path = INSTANCES.replace("srv_demo", "srv_mine")
    assert api.post(path, json={"user_id": "ada"}).status_code == 201


def test_overlapping_create_calls_are_seen_and_only_one_creates(
    simulator: Simulator, api: httpx.Client
) -> None:
    connect(simulator, "ada")
    simulator.add_fault(path="*/instances", latency=0.2, times=None)

    def post(_: int) -> int:
        return create(api).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(post, range(4)))
    assert statuses == [201, 409, 409, 409]
    assert simulator.instance_posts() == [
        {
            "server_id": "srv_demo",
            "user_id": "ada",
            "posts": 4,
            "created": 1,
            "statuses": {"201": 1, "409": 3},
            "max_in_flight": 4,
        }
    ]


def test_a_caller_that_hangs_up_is_no_longer_in_flight(
    simulator: Simulator, api: httpx.Client
) -> None:
    connect(simulator, "ada")
    simulator.add_fault(path="*/instances", latency=0.1, latency_at="after")
    with pytest.raises(httpx.ReadTimeout):
        api.post(INSTANCES, json={"user_id": "ada"}, timeout=0.02)
    assert create(api).status_code == 409
    assert simulator.instance_posts()[0]["max_in_flight"] == 1


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
    assert simulator.faults() == []


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
    assert KEY not in raw
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
