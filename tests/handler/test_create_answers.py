"""What becomes of an instance by Composio's answer to the call that creates it."""

from typing import Any, Never

import httpx
import pytest

from tests.doubles import Counted, refusal
from tests.world import SERVER, SLACK, TARGET, World, account


def test_conflict_is_success_and_adopts_the_record(world: World) -> None:
    world.upstream.instances = {(SERVER, "user_1"), (SERVER, "user_10")}

    assert world.complete() == {SERVER: "ready"}
    assert world.row()["record"]["instance_id"] == "user_1"


def test_conflict_is_success_even_if_the_record_cannot_be_read(world: World) -> None:
    world.upstream.script.append(refusal(409, "exists"))
    world.upstream.gets.append(refusal(500, "down"))

    assert world.complete() == {SERVER: "ready"}
    assert "record" not in world.row()


def test_conflict_is_success_although_the_record_is_not_on_the_first_of_many_pages(
    world: World,
) -> None:
    others = [world.upstream.record(SERVER, f"user_1{number}") for number in range(100)]
    page = httpx.Response(200, json={"instances": others, "total_pages": 70})
    world.upstream.script.append(refusal(409, "exists"))
    world.upstream.gets.extend([page] * 2)

    assert world.complete() == {SERVER: "ready"}
    assert [one.method for one in world.upstream.requests] == ["POST", "GET"]


def test_bad_request_for_an_instance_that_exists_is_success(world: World) -> None:
    world.upstream.instances = {(SERVER, "user_1")}
    world.upstream.script.append(refusal(400, "any words"))

    assert world.complete() == {SERVER: "ready"}


@pytest.mark.parametrize("status", [400, 422])
def test_refusal_fails_with_the_whole_error_of_composio(world: World, status: int) -> None:
    world.upstream.script.append(refusal(status, "no such thing"))

    assert world.complete() == {SERVER: "failed"}
    row = world.row()
    assert row["due_at"] == world.now + 3600
    assert row["last_error"] == {
        "message": "no such thing",
        "status": status,
        "slug": f"Slug_{status}",
        "suggested_fix": "mend it",
        "request_id": "req_1",
        "at": int(world.now),
    }


@pytest.mark.parametrize("step", [refusal(502, "down"), httpx.ReadTimeout("slow")])
def test_failed_call_is_repeated_once_and_then_retried_later(world: World, step: Any) -> None:
    world.upstream.script.extend([step, step])

    assert world.complete() == {SERVER: "retrying"}
    assert world.upstream.creates == 2
    row = world.row()
    assert (row["due"], row["due_at"]) == ("due", world.now + 15)

    assert world.see(account(SLACK)) == {SERVER: "retrying"}
    world.now += 15
    assert world.see(account(SLACK)) == {SERVER: "ready"}


def test_lost_answer_is_settled_by_the_conflict_on_the_next_try(world: World) -> None:
    def create_and_lose(_: httpx.Request) -> Never:
        world.upstream.instances.add((SERVER, "user_1"))
        raise httpx.ReadTimeout("lost")

    world.upstream.script.append(create_and_lose)

    assert world.complete() == {SERVER: "ready"}
    assert world.row()["record"]["instance_id"] == "user_1"


def test_failed_call_is_not_repeated_without_the_time_for_it(world: World) -> None:
    def slow(_: httpx.Request) -> httpx.Response:
        world.now += 18
        raise httpx.ReadTimeout("slow")

    world.upstream.script.append(slow)

    assert world.complete() == {SERVER: "retrying"}
    assert world.upstream.creates == 1


def test_rate_limited_instance_waits_as_long_as_composio_asks(world: World) -> None:
    limited = httpx.Response(
        429, json={"message": "Rate limit exceeded."}, headers={"retry-after": "77"}
    )
    world.upstream.script.append(limited)

    assert world.complete() == {SERVER: "retrying"}
    row = world.row()
    assert row["due_at"] == world.now + 77
    assert row["last_error"]["message"] == "Rate limit exceeded."


def test_failed_instance_is_retried_for_a_new_fact_and_not_for_a_repeated_one(
    world: World,
) -> None:
    world.upstream.script.append(refusal(422, "no"))
    world.complete()

    assert world.see(account(SLACK)) == {SERVER: "failed"}
    assert world.see(account(SLACK, at=30)) == {SERVER: "ready"}
    assert world.row()["attempts"] == 1
    assert "last_error" not in world.row()


HTML = httpx.Response(200, html="<title>Please wait</title>")


@pytest.mark.parametrize(
    "odd",
    [HTML, httpx.Response(200, json={}), httpx.Response(201, json={"id": "rec_1"})],
)
def test_success_without_a_record_of_the_user_is_looked_up(world: World, odd: Any) -> None:
    world.upstream.script.append(odd)
    assert world.complete() == {SERVER: "retrying"}

    world.now += 15
    world.provisioning.resume("user_1", TARGET, deadline=world.now + 20)

    assert world.row()["status"] == "ready"
    assert (SERVER, "user_1") in world.upstream.instances


@pytest.mark.parametrize("status", [403, 404, 409])
def test_page_of_a_proxy_is_not_an_answer_of_composio(world: World, status: int) -> None:
    world.upstream.script.append(httpx.Response(status, html="<h1>Blocked</h1>"))

    assert world.complete() == {SERVER: "retrying"}


def test_failed_instance_is_retried_by_the_sweep_and_counted_once(
    world: World, counted: Counted
) -> None:
    world.upstream.script.extend([refusal(422, "no")] * 4)
    world.complete()
    for hours in (1, 2, 4):
        world.now += hours * 3600
        world.tick()
        assert world.row()["status"] == "failed"
    world.now += 8 * 3600
    world.tick()

    assert world.row()["status"] == "ready"
    assert counted()["TargetFailed"] == 1
