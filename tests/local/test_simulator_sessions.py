"""Tool router sessions of the simulator, and the sunset of MCP servers."""

from typing import Any

import httpx
import pytest

from local.simulator.client import Simulator
from tests.local.api_calls import INSTANCES, connect, create, error

SESSIONS = "/api/v3.1/tool_router/session"
pytestmark = pytest.mark.usefixtures("simulator")


def begin(api: httpx.Client, **body: Any) -> httpx.Response:
    return api.post(SESSIONS, json={"user_id": "alice"} | body)


def test_each_create_call_makes_a_new_session_without_an_account(
    simulator: Simulator, api: httpx.Client
) -> None:
    asked = {"toolkits": {"enable": ["gmail"]}, "auth_configs": {"gmail": "ac_gmail"}}
    first, second = begin(api, **asked), begin(api, **asked)
    assert (first.status_code, first.json()["config_version"]) == (201, 1)
    assert first.json()["session_id"].startswith("trs_")
    assert simulator.state()["sessions"] == [
        {"session_id": each.json()["session_id"], "user_id": "alice"} for each in (first, second)
    ]
    (posts,) = simulator.session_posts("alice")
    assert (posts["created"], posts["max_in_flight"], simulator.instance_posts()) == (2, 1, [])
    config = first.json()["config"]
    assert config["toolkits"] == {"enabled": ["gmail"]}
    assert (config["user_id"], config["auth_configs"]) == ("alice", {"gmail": "ac_gmail"})


@pytest.mark.parametrize(
    "body",
    [
        {"user_id": ""},
        {"surprise": 1},
        {"toolkits": {"enabled": ["gmail"]}},
        {"toolkits": {"enable": ["nosuch"]}},
        {"auth_configs": {"gmail": "ac_slack"}},
        {"connected_accounts": {"gmail": ["ca_nosuch"]}},
    ],
)
def test_an_invalid_session_is_refused(api: httpx.Client, body: dict[str, Any]) -> None:
    assert (begin(api, **body).status_code, error(begin(api, **body))["status"]) == (400, 400)


def test_a_pinned_account_must_be_usable_and_belong_to_the_user(
    simulator: Simulator, api: httpx.Client
) -> None:
    mine, others = (simulator.add_account(user, "ac_gmail") for user in ("alice", "eve"))
    assert begin(api, connected_accounts={"gmail": [others]}).status_code == 400
    assert begin(api, connected_accounts={"gmail": [mine]}).status_code == 201
    simulator.change_account(mine, is_disabled=True)
    assert begin(api, connected_accounts={"gmail": [mine]}).status_code == 400


def test_a_session_is_read_changed_and_deleted(api: httpx.Client) -> None:
    path = f"{SESSIONS}/{begin(api).json()['session_id']}"
    toolkits = api.get(f"{path}/toolkits").json()["items"]
    assert [each["slug"] for each in toolkits] == ["gmail", "slack"]
    changed = api.patch(path, json={"toolkits": {"disable": ["gmail"]}})
    assert changed.json()["config_version"] == 2
    assert changed.json()["tool_router_tools"] == ["SLACK_WHO_AM_I"]
    assert api.get(path).json() == changed.json()
    assert api.patch(path, json={"user_id": "eve"}).status_code == 400
    assert [api.delete(path).status_code for _ in range(2)] == [200, 404]
    assert api.get(path).status_code == 404


def test_a_link_of_a_session_connects_one_of_its_toolkits(
    simulator: Simulator, api: httpx.Client
) -> None:
    path = f"{SESSIONS}/{begin(api, toolkits={'enable': ['gmail']}).json()['session_id']}"
    assert api.post(f"{path}/link", json={"toolkit": "slack"}).status_code == 400
    link = api.post(f"{path}/link", json={"toolkit": "gmail"})
    assert link.status_code == 201
    (before,) = api.get(f"{path}/toolkits").json()["items"]
    simulator.consent(link.json()["redirect_url"])
    (after,) = api.get(f"{path}/toolkits?is_connected=true").json()["items"]
    assert before["connected_account"] is None
    assert after["connected_account"]["id"] == link.json()["connected_account_id"]


def test_a_sunset_of_mcp_servers_leaves_sessions(simulator: Simulator, api: httpx.Client) -> None:
    connect(simulator, "ada")
    simulator.set_options(mcp_sunset="announced")
    announced = create(api)
    assert (announced.status_code, announced.headers["deprecation"]) == (201, "true")
    assert announced.headers["sunset"].endswith("GMT")
    simulator.set_options(mcp_sunset="over")
    for path in (INSTANCES, "/api/v3.1/mcp/servers", "/v3/mcp/srv_demo?user_id=ada"):
        assert api.get(path).status_code == 410
    assert simulator.instance_posts()[0]["created"] == 1
    kept = begin(api)
    assert (kept.status_code, "sunset" in kept.headers) == (201, False)
