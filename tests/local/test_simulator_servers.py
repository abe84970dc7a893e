"""MCP servers and instances of the simulator."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from local.simulator.client import Simulator
from tests.local.api_calls import INSTANCES, connect, create, error, items


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
    assert api.get("/api/v3/nothing/is/here").status_code == 404


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
