"""The page at the end of a callback, and the way back to the application."""

import base64
import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from handler import page
from tests.doubles import refusal
from tests.world import GMAIL, SLACK, World, account, as_composio_has_it


def has(world: World, auth_config: str, status: str = "ACTIVE", user: str = "user_1") -> str:
    fact = account(auth_config, id=f"ca_{user}_{auth_config}", status=status, user=user)
    world.upstream.accounts[fact.id] = as_composio_has_it(fact)
    return fact.id


def come_back(world: World, account_id: str, **query: str) -> dict[str, Any]:
    query = {"status": "success", "connected_account_id": account_id} | query
    return world.ask("GET", "/oauth/callback", query=query)


def title(answer: dict[str, Any]) -> str:
    return str(answer["body"]).split("<h1>")[1].split("</h1>")[0]


@pytest.mark.parametrize("return_url", ["", "https://app.invalid/done"])
def test_refused_consent_without_an_id_is_a_failure(return_url: str) -> None:
    world = World(return_url=return_url)
    query = {"error": "access_denied", "state": "s1"}

    answer = world.ask("GET", "/oauth/callback", query=query)

    if return_url:
        assert answer["headers"]["location"] == f"{return_url}?status=failed&state=s1"
    else:
        assert title(answer) == "It was not connected"
    assert world.upstream.requests == []


def test_application_gets_its_parameters_back_unless_they_are_too_long() -> None:
    world = World(return_url="https://app.invalid/done")
    account_id = has(world, GMAIL)

    short = come_back(world, account_id, state="a b&c", status="failed")
    long = come_back(world, account_id, state="x" * 3000)

    known = f"status=waiting&connected_account_id={account_id}"
    assert short["headers"]["location"] == f"https://app.invalid/done?{known}&state=a+b%26c"
    assert long["headers"]["location"] == f"https://app.invalid/done?{known}"


@pytest.mark.parametrize("own", ["https://app.invalid/done", "https://app.invalid/done?tab=mcp"])
def test_browser_is_redirected_to_the_configured_url_only(own: str) -> None:
    world = World(return_url=own)
    answer = come_back(
        world, has(world, GMAIL), return_url="https://evil.invalid", redirect="//evil.invalid"
    )

    assert answer["statusCode"] == 303
    parts = urlsplit(answer["headers"]["location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://app.invalid/done"
    wanted = {"status": ["waiting"], "connected_account_id": [f"ca_user_1_{GMAIL}"]}
    theirs = {"return_url": ["https://evil.invalid"], "redirect": ["//evil.invalid"]}
    assert parse_qs(parts.query) == wanted | theirs | ({"tab": ["mcp"]} if "tab" in own else {})


@pytest.mark.parametrize(
    ("answers", "word"),
    [
        ([], "ready"),
        ([refusal(503, "down")] * 2, "waiting"),
        ([refusal(422, "no")], "failed"),
    ],
)
def test_application_gets_the_status(answers: list[httpx.Response], word: str) -> None:
    world = World(return_url="https://app.invalid/done")
    world.upstream.script.extend(answers)
    come_back(world, has(world, GMAIL))
    account_id = has(world, SLACK)

    location = come_back(world, account_id)["headers"]["location"]

    end = f"?status={word}&connected_account_id={account_id}"
    assert location == f"https://app.invalid/done{end}"


@pytest.mark.parametrize(
    ("enrolled", "connected", "word"),
    [(None, (GMAIL, SLACK), "ready"), (None, (GMAIL,), "waiting"), ((), (), "waiting")],
)
def test_account_that_no_server_requires_returns_the_status_of_the_user(
    enrolled: tuple[str, ...] | None, connected: tuple[str, ...], word: str
) -> None:
    world = World(enrolled=enrolled, return_url="https://app.invalid/done")
    world.catalog.sync(deadline=world.now + 20)
    for auth_config in connected:
        come_back(world, has(world, auth_config))

    location = come_back(world, has(world, "ac_other"))["headers"]["location"]

    assert f"?status={word}&" in location


def test_redirect_costs_no_extra_reads() -> None:
    world = World(return_url="https://app.invalid/done")
    world.catalog.sync(deadline=world.now + 20)
    world.trips()

    assert come_back(world, has(world, GMAIL))["statusCode"] == 303
    assert len(world.upstream.requests) == 1
    assert world.trips()[0] == ["UpdateItem"]


def test_invalid_id_is_not_passed_on() -> None:
    world = World(return_url="https://app.invalid/done")

    location = come_back(world, "<script>")["headers"]["location"]

    assert location == "https://app.invalid/done?status=failed"


@pytest.mark.parametrize(
    "content",
    [page.ready(), page.pending(), page.failed(), page.stuck(), page.invalid(),
     page.waiting(["gmail"] * 20, ["slack"] * 20)],
)  # fmt: skip
def test_page_is_small_whole_and_loads_nothing(content: str) -> None:
    assert len(content.encode()) <= 15_000
    for word in ("javascript:", "onload", "http://", "https://", "src="):
        assert word not in content
    assert content.startswith("<!doctype html>")
    assert '<html lang="en">' in content


@pytest.mark.parametrize("content", [page.pending(), page.waiting(["gmail"], ["slack"])])
def test_script_and_style_of_the_page_are_the_ones_that_its_policy_allows(content: str) -> None:
    policy = page.HEADERS["content-security-policy"]

    for element in ("script", "style"):
        (inline,) = re.findall(f"<{element}>(.*?)</{element}>", content, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}';" in policy


@pytest.mark.parametrize("content", [page.ready(), page.failed(), page.stuck(), page.invalid()])
def test_final_pages_have_no_script_and_no_refresh(content: str) -> None:
    assert "<script" not in content
    assert "refresh" not in content


def test_page_reloads_at_the_same_interval_with_and_without_scripts() -> None:
    pending = page.pending()

    assert f"let wait = {page.REFRESH_SECONDS};" in pending
    assert f'http-equiv="refresh" content="{page.REFRESH_SECONDS}"' in pending


def test_names_in_the_page_are_escaped() -> None:
    assert "&lt;b&gt;" in page.waiting(["<b>"], [])
    assert "<b>" not in page.waiting(["<b>"], [])


def test_security_headers_are_on_every_answer(world: World) -> None:
    for answer in (
        come_back(world, has(world, GMAIL)),
        come_back(world, "?"),
        world.ask("GET", "/nowhere"),
        world.ask("POST", "/webhooks/composio"),
    ):
        headers = answer["headers"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


def test_page_names_nobody(world: World) -> None:
    body = come_back(world, has(world, GMAIL, user="ada@example.invalid"))["body"]

    assert "ada" not in body
    assert "ca_" not in body
