"""The simulator's MCP endpoints, used by the official MCP client."""

import httpx
import pytest

from local.demo.agent import call_tool, list_tools
from local.simulator.client import Simulator
from tests.local.api_calls import connect, create
from tests.world import API_KEY

INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize"}


def url_for(simulator: Simulator, query: str) -> str:
    return f"{simulator.url}/v3/mcp/srv_demo?{query}"


def test_a_user_with_an_instance_lists_and_calls_tools(
    simulator: Simulator, api: httpx.Client
) -> None:
    user_id = "team/ada @b"
    connect(simulator, user_id)
    assert create(api, user_id).status_code == 201
    mcp_url = api.get("/api/v3/mcp/srv_demo").json()["mcp_url"]
    url = str(httpx.URL(mcp_url, params={"user_id": user_id}))
    assert list_tools(url, API_KEY) == ["GMAIL_WHO_AM_I", "SLACK_WHO_AM_I"]
    assert f'"user_id": "{user_id}"' in call_tool(url, API_KEY, "GMAIL_WHO_AM_I")
    gmail, _ = simulator.state()["accounts"]
    simulator.change_account(gmail["id"], status="EXPIRED")
    assert call_tool(url, API_KEY, "GMAIL_WHO_AM_I") == "no usable connected account"


@pytest.mark.parametrize(
    ("key", "query", "status"),
    [
        (None, "user_id=ada", 401),
        ("ak_wrong", "user_id=ada", 401),
        (API_KEY, "user_id=ada", 403),
        (API_KEY, "", 400),
    ],
)
def test_nobody_else_gets_in(
    simulator: Simulator, browser: httpx.Client, key: str | None, query: str, status: int
) -> None:
    simulator.add_instances("srv_demo", ["eve"])
    headers = {"x-api-key": key} if key else {}
    answer = browser.post(url_for(simulator, query), json=INITIALIZE, headers=headers)
    assert answer.status_code == status


def test_a_session_lists_the_tools_of_its_toolkits(
    simulator: Simulator, api: httpx.Client, browser: httpx.Client
) -> None:
    account_id = simulator.add_account("ada", "ac_gmail")
    body = {"user_id": "ada", "toolkits": {"enable": ["gmail"]}}
    url = api.post("/api/v3.1/tool_router/session", json=body).json()["mcp"]["url"]
    assert list_tools(url, API_KEY) == ["GMAIL_WHO_AM_I"]
    assert account_id in call_tool(url, API_KEY, "GMAIL_WHO_AM_I")
    assert call_tool(url, API_KEY, "NO_SUCH_TOOL") == "there is no tool NO_SUCH_TOOL"
    assert browser.post(url, json=INITIALIZE).status_code == 401
    unknown = f"{simulator.url}/tool_router/trs_nosuch/mcp"
    assert api.post(unknown, json=INITIALIZE).status_code == 404
