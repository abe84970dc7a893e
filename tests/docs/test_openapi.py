"""The OpenAPI document matches the routes of the template and the answers of the handler."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from local.sign import signed
from tests.doubles import refusal
from tests.openapi import DOCUMENT, PATH, about_users, conforms, errors, resolved, routes
from tests.template.sam_template import FUNCTIONS
from tests.world import GMAIL, SECRET, SLACK, World, account, as_composio_has_it

DELIVER = ("POST", "/webhooks/composio")
COME_BACK = ("GET", "/oauth/callback")
SHOW = ("GET", "/users/{user_id}")
REFRESH = ("POST", "/users/{user_id}/refresh")
CONNECTED = json.loads(Path("events/connected.json").read_text())


def ask(world: World, route: tuple[str, str], **more: Any) -> int:
    """Call a route, assert that the answer is documented, and return its status."""
    answer = world.ask(*route, **more)
    conforms(*route, answer)
    return int(answer["statusCode"])


def about(user_id: str) -> dict[str, Any]:
    return {"pathParameters": {"user_id": user_id}}


def has(world: World, auth_config: str) -> str:
    fact = account(auth_config)
    world.upstream.accounts[fact.id] = as_composio_has_it(fact)
    return fact.id


def samples(node: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield (schema, example) of everything in the document that has both."""
    if isinstance(node, dict):
        if "schema" in node:
            values = [one["value"] for one in node.get("examples", {}).values()]
            values += [node["example"]] if "example" in node else []
            yield from ((node["schema"], value) for value in values)
        for inner in node.values():
            yield from samples(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from samples(inner)


def test_the_document_is_valid_openapi_with_valid_examples() -> None:
    validate(DOCUMENT)
    found = list(samples(DOCUMENT))

    assert len(found) > 10
    assert [(value, wrong) for schema, value in found if (wrong := errors(schema, value))] == []


def test_document_template_and_handler_have_the_same_routes(world: World) -> None:
    events = FUNCTIONS["WebhookFunction"]["Events"].values()

    assert routes() == {(one["Properties"]["Method"], one["Properties"]["Path"]) for one in events}
    assert routes() == set(world.webhook.routes)


def test_the_document_has_the_authorization_of_the_template() -> None:
    for event in FUNCTIONS["WebhookFunction"]["Events"].values():
        route = event["Properties"]
        said = DOCUMENT["paths"][route["Path"]][route["Method"].lower()]["security"]
        assert (said == [{"sigv4": []}]) == ("Auth" in route)


def test_deliveries_are_answered_as_documented(world: World) -> None:
    for body, status in ((CONNECTED["body"], 200), ('{"type":"x","data":{}}', 200), ("{}", 400)):
        event = _signed(world, {**CONNECTED, "body": body, "isBase64Encoded": False})
        answer = world.webhook.answer(event, seconds=25)
        assert answer["statusCode"] == status
        conforms(*DELIVER, answer)
    assert ask(world, DELIVER) == 401
    assert ask(world, DELIVER, body="x" * 300_000) == 413


def test_deliveries_that_cannot_be_stored_are_answered_as_documented(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(world.account_table, "record", refuse)
    answer = world.webhook.answer(_signed(world, CONNECTED), seconds=25)

    assert answer["statusCode"] == 503
    conforms(*DELIVER, answer)


def test_browsers_are_answered_as_documented(world: World) -> None:
    for auth_config in (GMAIL, SLACK):
        query = {"connected_account_id": has(world, auth_config), "status": "success"}
        assert ask(world, COME_BACK, query=query) == 200
    assert ask(world, COME_BACK) == 400
    assert ask(world, COME_BACK, query={"connected_account_id": "ca_made_up"}) == 404
    elsewhere = World(return_url="https://app.example/done")
    assert ask(elsewhere, COME_BACK, query={"connected_account_id": "ca_made_up"}) == 303


@pytest.mark.parametrize(("method", "path"), about_users())
def test_each_route_about_a_user_answers_for_known_new_and_invalid_users(
    world: World, method: str, path: str
) -> None:
    has(world, GMAIL)
    world.see(account(GMAIL))
    done = {"201" if "201" in DOCUMENT["paths"][path][method.lower()]["responses"] else "200"}
    for user_id, status in (("user_1", done), ("nobody", done), ("", {"400"}), ("%ff", {"400"})):
        asked = ask(world, (method, path), pathParameters=PATH | {"user_id": user_id})
        assert {str(asked)} == status


def test_questions_about_users_are_answered_as_documented(world: World) -> None:
    has(world, GMAIL)
    assert ask(world, REFRESH, **about("user_1")) == 200
    assert ask(world, SHOW, **about("user_1")) == 200
    tag = world.ask(*SHOW, **about("user_1"))["headers"]["etag"]
    assert ask(world, SHOW, **about("user_1"), multiValueHeaders={"If-None-Match": [tag]}) == 304


@pytest.mark.parametrize("status", [201, 422, 500])
def test_every_status_of_an_instance_is_documented(world: World, status: int) -> None:
    if status != 201:
        world.upstream.script.extend([refusal(status, "said Composio")] * 2)
    for auth_config in (GMAIL, SLACK):
        world.see(account(auth_config))

    assert ask(world, SHOW, **about("user_1")) == 200


def test_refresh_without_composio_is_answered_as_documented(world: World) -> None:
    world.upstream.gets.append(httpx.Response(500))

    assert ask(world, REFRESH, **about("user_1")) == 503


def test_every_answer_of_api_gateway_is_documented() -> None:
    for method, path in routes():
        listed = DOCUMENT["paths"][path][method.lower()]["responses"]
        for status in ("403", "429"):
            kind = resolved(listed[status])["content"]["application/json"]
            assert kind["schema"] == {"$ref": "#/components/schemas/Gateway"}


def _signed(world: World, event: dict[str, Any]) -> dict[str, Any]:
    return signed(event, secret=SECRET, now=int(world.now))
