"""Connected accounts, links and the consent page of the simulator."""

from itertools import pairwise

import httpx
import pytest

from local.simulator.client import Simulator
from tests.local.api_calls import connect, error, items, request_link


def test_accounts_are_paged_filtered_and_ordered(simulator: Simulator, api: httpx.Client) -> None:
    connect(simulator, "eve")
    simulator.add_accounts(
        [{"user_id": f"u{n}", "auth_config_id": "ac_gmail", "id": f"ca_{n}"} for n in range(7)]
    )
    simulator.change_account("ca_0", status="EXPIRED")
    params = {"statuses": "ACTIVE,INITIATED", "auth_config_ids": "ac_gmail", "limit": "3.0"}
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
    "query",
    ["limit=2.5", "statuses=OPEN", "limit=0", "cursor=x", "order_by=id", "account_type=MINE"],
)
def test_an_invalid_query_is_refused(api: httpx.Client, query: str) -> None:
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
    link = request_link(api, callback_url="https://app.example/back?tab=1&x=").json()
    assert link["redirect_url"] == f"{simulator.url}/link/{link['link_token']}"
    path = f"/api/v3/connected_accounts/{link['connected_account_id']}"
    assert api.get(path).json()["status"] == "INITIALIZING"
    page = browser.get(link["redirect_url"])
    assert '<button type="submit" name="decision" value="allow">' in page.text
    waiting = api.get(path).json()
    assert waiting["state"]["val"] == {"status": "INITIATED", "redirectUrl": link["redirect_url"]}
    assert simulator.consent(link["redirect_url"]) == (
        f"https://app.example/back?tab=1&x=&status=success"
        f"&connected_account_id={link['connected_account_id']}"
    )
    active = api.get(path).json()
    assert active["state"]["val"] == {"status": "ACTIVE", "access_token": "simu..."}
    assert waiting["updated_at"] < active["updated_at"]
    assert browser.get(link["redirect_url"]).status_code == 410


def test_a_denied_connection_fails(simulator: Simulator, api: httpx.Client) -> None:
    link = request_link(api, callback_url="https://app.example/").json()
    assert simulator.consent(link["redirect_url"], allow=False) == (
        f"https://app.example/?status=failed&connected_account_id={link['connected_account_id']}"
        "&error=access_denied"
    )
    account = api.get(f"/api/v3/connected_accounts/{link['connected_account_id']}").json()
    assert account["status"] == "FAILED"


def test_a_link_expires_after_ten_minutes(
    simulator: Simulator, api: httpx.Client, browser: httpx.Client
) -> None:
    link = request_link(api).json()
    simulator.advance_clock(599)
    assert browser.get(link["redirect_url"]).status_code == 200
    simulator.advance_clock(1)
    account = api.get(f"/api/v3/connected_accounts/{link['connected_account_id']}").json()
    assert account["status"] == "EXPIRED"
    assert browser.get(link["redirect_url"]).status_code == 410


def test_a_link_sets_the_fields_of_its_account(api: httpx.Client) -> None:
    sharing = {"account_type": "SHARED"}
    made = request_link(
        api, alias="work", connection_data={"subdomain": "acme"}, experimental=sharing
    )
    assert made.json()["experimental"] == sharing
    account = api.get(f"/api/v3.1/connected_accounts/{made.json()['connected_account_id']}").json()
    assert (account["alias"], account["experimental"]) == ("work", sharing)
    assert account["state"]["val"]["subdomain"] == "acme"
    assert request_link(api, alias="work").status_code == 400
    assert request_link(api, "eve", alias="work").status_code == 201


@pytest.fixture
def session_uri(simulator: Simulator, api: httpx.Client) -> str:
    """A consent in a project that verifies who gave it."""
    simulator.set_options(verifier_url="https://app.example/verify?x=1")
    location = simulator.consent(request_link(api).json()["redirect_url"]) or ""
    start, session_uri = location.split("&session_uri=")
    assert start == "https://app.example/verify?x=1"
    return session_uri


def complete(api: httpx.Client, session_uri: str, user_id: str) -> httpx.Response:
    body = {"session_uri": session_uri, "user_id": user_id}
    return api.post("/api/v3.1/connected_accounts/complete_auth", json=body)


def statuses(api: httpx.Client) -> list[str]:
    return [each["status"] for each in items(api.get("/api/v3.1/connected_accounts"))]


def test_a_verified_consent_is_completed_once(api: httpx.Client, session_uri: str) -> None:
    assert statuses(api) == ["INITIATED"]
    completed = complete(api, session_uri, "ada")
    assert (completed.status_code, completed.json()["toolkit_slug"]) == (200, "gmail")
    assert statuses(api) == ["ACTIVE"]
    assert complete(api, session_uri, "ada").status_code == 404


def test_a_consent_for_another_user_fails_for_good(api: httpx.Client, session_uri: str) -> None:
    assert complete(api, session_uri, "eve").status_code == 400
    assert complete(api, session_uri, "ada").status_code == 404
    assert statuses(api) == ["FAILED"]


def test_a_consent_is_completed_within_ten_minutes(
    simulator: Simulator, api: httpx.Client, session_uri: str
) -> None:
    simulator.advance_clock(601)
    assert complete(api, session_uri, "ada").status_code == 404
    assert statuses(api) == ["EXPIRED"]


def test_unsupported_connections_are_refused(api: httpx.Client) -> None:
    account = {"auth_config": {"id": "ac_gmail"}, "connection": {"user_id": "ada"}}
    assert api.post("/api/v3/connected_accounts", json=account).status_code == 400
    assert request_link(api, callback_url="javascript:alert(1)").status_code == 400


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
