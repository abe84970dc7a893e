"""What Composio's client makes of connected accounts, and of the calls that connect one."""

import json

import httpx
import pytest

from handler.paging import Place
from handler.targets import Problem
from tests.doubles import Log
from tests.handler.scripted_composio import (
    USER,
    ScriptedComposio,
    Step,
    get_account,
    list_accounts,
    ok,
    refusal,
)


def account(account_id: str = "ca_1", **changes: object) -> dict[str, object]:
    return {
        "id": account_id,
        "user_id": USER,
        "auth_config": {"id": "ac_mail"},
        "status": "ACTIVE",
        "updated_at": "2026-01-15T10:30:00Z",
    } | changes


def test_account_is_read(composio: ScriptedComposio) -> None:
    composio.will(ok(account()))

    found = composio.client.get_account("ca_1", deadline=composio.deadline)

    assert found
    fact = found.fact()
    assert fact
    assert fact.active
    assert (fact.id, fact.user_id, fact.auth_config_id) == ("ca_1", USER, "ac_mail")


def test_account_that_composio_does_not_know_is_none(composio: ScriptedComposio) -> None:
    composio.will(refusal(404))

    assert get_account(composio.client, composio.deadline) is None


@pytest.mark.parametrize("content", [{}, {"id": None}, account(status=5)])
def test_unreadable_account_is_unavailable(composio: ScriptedComposio, content: object) -> None:
    composio.will(ok(content))

    assert composio.problem(get_account) == Problem(
        "the answer is not readable as ConnectedAccount"
    )


def test_unreadable_account_is_left_out_of_a_list_and_logged_without_its_content(
    composio: ScriptedComposio, log: Log
) -> None:
    items = [None, account("ca_1", status=["invented-token"]), account("ca_2")]
    composio.will(ok({"items": items}))

    assert composio.accounts() == ["ca_2"]
    assert [(line["level"], line["model"]) for line in log.lines] == [
        ("WARNING", "ConnectedAccount")
    ] * 2
    assert "invented-token" not in log.text


@pytest.mark.parametrize("end", [{}, {"next_cursor": ""}, {"next_cursor": None}])
def test_accounts_of_all_pages_are_listed(
    composio: ScriptedComposio, end: dict[str, object]
) -> None:
    composio.will(
        ok({"items": [account("ca_1"), account("ca_2")], "next_cursor": "a/b+c="}),
        ok({"items": [], "next_cursor": "d"}),
        ok({"items": [account("ca_3", status="EXPIRED")]} | end),
    )

    assert composio.accounts() == ["ca_1", "ca_2", "ca_3"]
    assert [query.get("cursor") for query in composio.queries] == [None, "a/b+c=", "d"]
    assert {query["user_ids"] for query in composio.queries} == {USER}
    assert {query["account_type"] for query in composio.queries} == {"ALL"}


def test_list_of_accounts_whose_pages_repeat_is_unavailable(composio: ScriptedComposio) -> None:
    composio.will(*[ok({"items": [account(one)], "next_cursor": "on"}) for one in ("ca_1", "ca_2")])

    assert composio.problem(list_accounts) == Problem("the pages of a list repeat")
    assert len(composio.requests) == 2


def test_accounts_without_a_user_id_are_those_of_the_user_asked_for(
    composio: ScriptedComposio,
) -> None:
    composio.will(ok({"items": [account(user_id=None), account("ca_2", user_id="another")]}))

    assert composio.accounts() == ["ca_1"]


def test_user_id_with_a_comma_has_only_the_accounts_that_name_it(
    composio: ScriptedComposio,
) -> None:
    users = ["ada,bob", "ada", "bob", None]
    items = [account(f"ca_{number}", user_id=user) for number, user in enumerate(users)]
    composio.will(ok({"items": items}))

    assert composio.accounts("ada,bob") == ["ca_0"]


def test_active_accounts_come_page_by_page_from_a_place_on(composio: ScriptedComposio) -> None:
    composio.will(
        ok({"items": [account("ca_1"), account("ca_2")], "next_cursor": "c8"}),
        ok({"items": [account("ca_3")], "next_cursor": "c9"}),
        ok({"items": [], "next_cursor": None}),
    )

    pages = list(
        composio.client.active_accounts(
            Place("c7", pages=7), auth_config_ids={"ac_b", "ac_a"}, deadline=composio.deadline
        )
    )

    assert [(*page.place[:2], [one.id for one in page.accounts]) for page in pages] == [
        ("c7", 7, ["ca_1", "ca_2"]),
        ("c8", 8, ["ca_3"]),
        ("c9", 9, []),
    ]
    assert [page.following and page.following.cursor for page in pages] == ["c8", "c9", None]
    for query in composio.queries:
        assert query["auth_config_ids"] == "ac_a,ac_b"
        assert (query["statuses"], query["account_type"]) == ("ACTIVE", "ALL")


def test_active_accounts_of_no_auth_config_are_none_and_not_all(composio: ScriptedComposio) -> None:
    pages = composio.client.active_accounts(
        Place(), auth_config_ids=frozenset(), deadline=composio.deadline
    )

    assert list(pages) == []


def test_accounts_of_one_auth_config_are_one_call(composio: ScriptedComposio) -> None:
    theirs = account("ca_2", user_id="mallory")
    unnamed = {"id": "ca_3", "status": "FAILED"}
    composio.will(ok({"items": [account(), theirs, unnamed, {"id": 7}], "next_cursor": "more"}))

    found = composio.client.accounts_of(USER, auth_config_id="ac_mail", deadline=composio.deadline)

    assert [one.id for one in found] == ["ca_1", "ca_3"]
    assert composio.queries == [
        {"limit": "100", "account_type": "ALL", "user_ids": USER, "auth_config_ids": "ac_mail"}
    ]


def test_accounts_by_id_are_only_those_of_the_user(composio: ScriptedComposio) -> None:
    both = [account(user_id="a,b"), account()]
    composio.will(ok({"items": [account()]}), ok({"items": both}))

    def found(user_id: str) -> list[str | None]:
        ids, deadline = {"ca_1", "ca_0"}, composio.deadline
        accounts = composio.client.accounts_of(user_id, account_ids=ids, deadline=deadline)
        return [one.user_id for one in accounts]

    assert found(USER) == [USER]
    assert found("a,b") == ["a,b"]
    first, second = composio.queries
    assert (first["connected_account_ids"], first["user_ids"]) == ("ca_0,ca_1", USER)
    assert "user_ids" not in second


LINK = {
    "link_token": "ln_1",
    "redirect_url": "https://connect.composio.example/link/ln_1",
    "expires_at": "2026-01-01T00:10:00.000Z",
    "connected_account_id": "ca_1",
}
CALLBACK_URL = "https://api.example/back"


def test_link_connects_one_account_and_comes_back(composio: ScriptedComposio) -> None:
    composio.will(ok(LINK, 201))

    link = composio.client.create_link(USER, "ac_mail", CALLBACK_URL, deadline=composio.deadline)

    assert (link.redirect_url, link.connected_account_id) == (LINK["redirect_url"], "ca_1")
    assert composio.request.url.path.endswith("/api/v3/connected_accounts/link")
    assert json.loads(composio.request.content) == {
        "user_id": USER,
        "auth_config_id": "ac_mail",
        "callback_url": CALLBACK_URL,
    }


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (refusal(404), 404),
        (ok({}, 201), None),
        (httpx.Response(201, content=b"<html>"), None),
        (ok(LINK | {"redirect_url": "javascript:alert(1)"}, 201), None),
        (ok(LINK | {"redirect_url": "http://connect.example/"}, 201), None),
        (ok(LINK | {"connected_account_id": "a b"}, 201), None),
        (httpx.ReadTimeout("slow"), None),
    ],
)
def test_link_that_cannot_be_used_is_unavailable(
    composio: ScriptedComposio, answer: Step, status: int | None
) -> None:
    composio.will(answer)

    def create_link(*_: object) -> None:
        composio.client.create_link(USER, "ac_mail", CALLBACK_URL, deadline=composio.deadline)

    assert composio.problem(create_link).status == status
    assert len(composio.requests) == 1


@pytest.mark.parametrize(
    ("answer", "completed"),
    [
        (ok({"connected_account_id": "ca_1"}), (200, "ca_1")),
        (ok({"connected_account": {"id": "ca_1"}}), (200, "ca_1")),
        (ok({}), (200, None)),
        (httpx.Response(200, content=b"<html>"), (200, None)),
        (ok({"connected_account_id": "a b"}), (200, None)),
        (refusal(400), (400, None)),
        (refusal(404), (404, None)),
        (ok({"connected_account_id": "ca_1"}, 400), (None, None)),
        (httpx.Response(404, content=b"<html>"), (None, None)),
        (httpx.ReadTimeout("slow"), (None, None)),
    ],
)
def test_authorisation_is_completed_with_a_single_call(
    composio: ScriptedComposio, answer: Step, completed: tuple[int | None, str | None]
) -> None:
    composio.will(answer)

    found = composio.client.complete_auth("session_1", USER, deadline=composio.deadline)

    assert found == completed
    assert composio.request.url.path.endswith("/api/v3.1/connected_accounts/complete_auth")
    assert json.loads(composio.request.content) == {"session_uri": "session_1", "user_id": USER}
