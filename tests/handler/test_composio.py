"""What each call to Composio returns for each answer."""

import httpx
import pytest

from handler.composio import MOST_SEARCHED_PAGES
from handler.targets import Problem, Target
from handler.transport import Unavailable
from tests.doubles import Counted, Log
from tests.handler.scripted_composio import (
    LISTS,
    RECORD,
    SERVER,
    SERVER_BODY,
    USER,
    Call,
    ScriptedComposio,
    find_instance,
    get_account,
    get_server,
    list_servers,
    ok,
    refusal,
)


@pytest.mark.parametrize("call", LISTS)
@pytest.mark.parametrize("items", [5, None, {}, "", "absent"])
def test_list_must_be_a_list(composio: ScriptedComposio, call: Call, items: object) -> None:
    composio.will(ok({} if items == "absent" else {"items": items, "instances": items}))

    assert composio.problem(call).message.endswith("is no list")


@pytest.mark.parametrize("call", [find_instance, list_servers])
@pytest.mark.parametrize("total", ["many", [2]])
def test_number_of_pages_must_be_a_number(
    composio: ScriptedComposio, call: Call, total: object
) -> None:
    composio.will(ok({"items": [], "instances": [], "total_pages": total}))

    assert composio.problem(call) == Problem("total_pages is no number")


@pytest.mark.parametrize("call", [find_instance, list_servers])
@pytest.mark.parametrize("total", [{"total_pages": None}, {"total_pages": 0}, {}])
def test_list_without_a_number_of_pages_has_one(
    composio: ScriptedComposio, call: Call, total: dict[str, object]
) -> None:
    composio.will(ok({"items": [], "instances": []} | total))

    assert not call(composio.client, composio.deadline)
    assert len(composio.requests) == 1


@pytest.mark.parametrize("call", LISTS)
def test_list_with_a_page_missing_is_unavailable(composio: ScriptedComposio, call: Call) -> None:
    page = {"items": [SERVER_BODY], "instances": [], "total_pages": 2, "next_cursor": "on"}
    composio.will(ok(page), refusal(500))

    assert composio.problem(call).status == 500


def test_record_of_another_user_is_not_the_users(composio: ScriptedComposio) -> None:
    composio.will(ok(RECORD | {"instance_id": "another"}, 201))

    answer = composio.create()

    assert (answer.status, answer.record) == (201, None)


def test_instance_is_found_by_its_whole_id_on_any_page(composio: ScriptedComposio) -> None:
    others = [RECORD | {"instance_id": one} for one in (f"{USER}.uk", USER.upper(), f"x{USER}")]
    composio.will(
        ok({"instances": others, "total_pages": 3}),
        ok({"instances": [*others, {"instance_id": USER}, None, RECORD], "total_pages": 3}),
    )

    assert find_instance(composio.client, composio.deadline) == RECORD
    assert [query["page_no"] for query in composio.queries] == ["1", "2"]


def test_instance_that_no_page_lists_is_none(composio: ScriptedComposio) -> None:
    other = RECORD | {"instance_id": "another"}
    composio.will(
        ok({"instances": [other], "total_pages": 2}), ok({"instances": [], "total_pages": 2})
    )

    assert find_instance(composio.client, composio.deadline) is None
    assert len(composio.requests) == 2


@pytest.mark.parametrize("most", [MOST_SEARCHED_PAGES, 1])
def test_search_for_an_id_that_many_ids_contain_is_given_up(
    composio: ScriptedComposio, most: int
) -> None:
    page = {"instances": [RECORD | {"instance_id": "99"}], "total_pages": 70}
    composio.will(*[ok(page) for _ in range(70)])

    with pytest.raises(Unavailable, match="too many pages"):
        composio.client.find_instance(SERVER, "9", deadline=composio.deadline, pages=most)
    assert len(composio.requests) == most


def test_server_has_what_it_requires(composio: ScriptedComposio) -> None:
    required = ["ac_mail", "ac_chat", "ac_mail"]
    composio.will(ok(SERVER_BODY | {"auth_config_ids": required, "mcp_url": "https://x"}))

    assert composio.client.get_server(SERVER, deadline=composio.deadline) == Target(
        SERVER, frozenset({"ac_mail", "ac_chat"}), name="support", url="https://x"
    )


@pytest.mark.parametrize("answer", [refusal(404), ok({"id": SERVER, "deleted": True})])
def test_unknown_or_deleted_server_is_gone(
    composio: ScriptedComposio, answer: httpx.Response
) -> None:
    composio.will(answer)

    gone = Target(SERVER, frozenset(), gone=True)
    assert composio.client.get_server(SERVER, deadline=composio.deadline) == gone


@pytest.mark.parametrize("call", [get_server, get_account])
@pytest.mark.parametrize("content", [b"<html>", b"", b"{}", b'{"message": "not found"}'])
def test_404_that_is_not_composios_own_proves_nothing(
    composio: ScriptedComposio, call: Call, content: bytes
) -> None:
    composio.will(httpx.Response(404, content=content))

    assert composio.problem(call).status == 404


@pytest.mark.parametrize(
    "content",
    [
        {"id": SERVER},
        SERVER_BODY | {"id": 5},
        SERVER_BODY | {"auth_config_ids": "ac_mail"},
        SERVER_BODY | {"auth_config_ids": None},
    ],
)
def test_unreadable_server_is_unavailable_and_left_out_of_a_list(
    composio: ScriptedComposio, content: object, counted: Counted, log: Log
) -> None:
    other = SERVER_BODY | {"id": "srv_2"}
    composio.will(ok(content), ok({"items": [content, None, other]}))

    assert composio.problem(get_server) == Problem("the answer is not readable as McpServer")
    assert set(composio.client.list_servers(deadline=composio.deadline)) == {"srv_2"}
    assert counted() == {"ItemUnreadable": 3}
    assert [line["model"] for line in log.lines] == ["McpServer"] * 3


def test_servers_of_all_pages_are_listed_by_id(composio: ScriptedComposio) -> None:
    composio.will(
        ok({"items": [SERVER_BODY], "total_pages": 2}),
        ok({"items": [SERVER_BODY | {"id": "srv_2"}], "total_pages": 2}),
    )

    assert list_servers(composio.client, composio.deadline) == {
        one: Target(one, frozenset({"ac_mail"}), name="support") for one in ("srv_1", "srv_2")
    }
    assert [query["page_no"] for query in composio.queries] == ["1", "2"]
