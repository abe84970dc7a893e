"""Composio's own client reads every answer of the simulator, and refuses what is not published."""

from collections.abc import Iterator

import pytest
from composio_client import Composio, ProjectAuth
from composio_client import _exceptions as errors

from local.demo.agent import list_tools
from local.simulator.client import Simulator
from tests.world import API_KEY

BOTH = ["ac_gmail", "ac_slack"]


@pytest.fixture
def client(simulator: Simulator) -> Iterator[Composio]:
    with Composio(
        auth=ProjectAuth(API_KEY),
        base_url=simulator.url,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


def test_accounts_of_every_status_are_listed_and_read(
    simulator: Simulator, client: Composio
) -> None:
    made = ["INITIALIZING", "INITIATED", "ACTIVE", "FAILED", "EXPIRED", "INACTIVE", "REVOKED"]
    for status in made:
        simulator.add_account("alice", "ac_gmail", status=status)
    page = client.connected_accounts.list(user_ids=["alice"], limit=20)
    assert sorted(each.status for each in page.items) == sorted(made)
    for each in page.items:
        assert client.connected_accounts.retrieve(each.id).status == each.status


def test_an_account_is_connected_by_a_link(simulator: Simulator, client: Composio) -> None:
    link = client.link.create(auth_config_id="ac_gmail", user_id="alice", alias="work")
    assert client.connected_accounts.retrieve(link.connected_account_id).status == "INITIALIZING"
    simulator.consent(link.redirect_url)
    assert client.connected_accounts.retrieve(link.connected_account_id).status == "ACTIVE"
    client.connected_accounts.update_status(link.connected_account_id, enabled=False)
    client.connected_accounts.delete(link.connected_account_id)
    with pytest.raises(errors.NotFoundError):
        client.connected_accounts.retrieve(link.connected_account_id)


def test_a_consent_is_verified(simulator: Simulator, client: Composio) -> None:
    simulator.set_options(verifier_url="https://app.example/verify")
    link = client.link.create(auth_config_id="ac_slack", user_id="alice")
    session_uri = (simulator.consent(link.redirect_url) or "").split("session_uri=")[1]
    done = client.connected_accounts.complete_auth(session_uri=session_uri, user_id="alice")
    assert (done.connected_account_id, done.toolkit_slug) == (link.connected_account_id, "slack")


def test_auth_configs_servers_and_instances(simulator: Simulator, client: Composio) -> None:
    assert [each.id for each in client.auth_configs.list().items] == BOTH
    assert client.auth_configs.retrieve("ac_gmail").toolkit.slug == "gmail"
    server = client.mcp.create(name="mine", auth_config_ids=BOTH)
    assert client.mcp.retrieve(server.id).auth_config_ids == BOTH
    assert {each.id for each in client.mcp.list().items} == {server.id, "srv_demo"}
    client.mcp.update(server.id, name="ours")
    with pytest.raises(errors.PermissionDeniedError):
        client.mcp.create_instance(server.id, user_id="alice")
    for auth_config_id in BOTH:
        simulator.add_account("alice", auth_config_id)
    made = client.mcp.create_instance(server.id, user_id="alice")
    assert made.instance_id == "alice"
    with pytest.raises(errors.ConflictError):
        client.mcp.create_instance(server.id, user_id="alice")
    assert client.mcp.list_instances(server.id).instances[0].instance_id == "alice"
    urls = client.mcp.generate.url(mcp_server_id=server.id, user_ids=["a b"])
    assert urls.user_ids_url == [f"{urls.mcp_url}?user_id=a%20b"]
    client.mcp.delete_instance("alice", server_id=server.id)
    client.mcp.delete(server.id)


def test_the_webhook_subscription(client: Composio) -> None:
    subscriptions = client.webhook_subscriptions
    offered = [each.event_type for each in subscriptions.list_event_types().items]
    made = subscriptions.create(webhook_url="https://app.example/", enabled_events=offered[1:2])
    assert subscriptions.list(limit=20).items[0].id == made.id
    assert subscriptions.rotate_secret(made.id).secret != made.secret
    subscriptions.update(made.id, webhook_url="https://app.example/2")
    subscriptions.delete(made.id)


def test_sessions(simulator: Simulator, client: Composio) -> None:
    sessions = client.tool_router.session
    made = sessions.create(
        user_id="alice",
        toolkits={"enable": ["gmail"]},
        auth_configs={"gmail": "ac_gmail"},
        manage_connections={"enable": False},
        preload={"tools": "all"},
    )
    opened = sessions.retrieve(made.session_id)
    assert list_tools(opened.mcp.url, API_KEY) == made.tool_router_tools == ["GMAIL_WHO_AM_I"]
    link = sessions.link(made.session_id, toolkit="gmail")
    simulator.consent(link.redirect_url)
    (toolkit,) = sessions.toolkits(made.session_id, limit=20).items
    assert toolkit.connected_account is not None
    assert toolkit.connected_account.id == link.connected_account_id
    assert [each.slug for each in sessions.tools(made.session_id).items] == made.tool_router_tools
    assert sessions.patch(made.session_id, toolkits={"enable": ["slack"]}).config_version == 2
    sessions.delete(made.session_id)
    with pytest.raises(errors.NotFoundError):
        sessions.delete(made.session_id)
