"""Access in the template: who reaches which route, how fast, and where no secret may stand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from handler import connect_page, page
from handler.requests import Refused, Response, refusal
from handler.webhook import CONNECT_ROUTES
from tests.template.api_access import CALLS, RANGES, Api, Route
from tests.template.sam_template import FUNCTIONS, GLOBAL, RESOURCES, TEMPLATE

PAGES = connect_page.Pages("Example", "https://app.example/logo.png", "https://app.example/help")
API: dict[str, Any] = RESOURCES["Api"]["Properties"]
STAGE, *ROUTES = API["MethodSettings"]
EVENTS: dict[str, Any] = FUNCTIONS["WebhookFunction"]["Events"]


def path(setting: dict[str, Any]) -> str:
    """Return the route that a method setting is for, as the events spell it."""
    return str(setting["ResourcePath"]).removeprefix("/").replace("~1", "/")


def test_routes_that_call_composio_are_throttled_lower_than_the_stage() -> None:
    assert (STAGE["ResourcePath"], STAGE["HttpMethod"]) == ("/*", "*")
    assert {(one["HttpMethod"], path(one)) for one in ROUTES} == {
        ("GET", "/oauth/callback"),
        ("POST", "/users/{user_id}/refresh"),
        *CONNECT_ROUTES,
    }
    for one in ROUTES:
        assert one["ThrottlingRateLimit"] < STAGE["ThrottlingRateLimit"]
        assert one["ThrottlingBurstLimit"] < STAGE["ThrottlingBurstLimit"]


def test_throttled_routes_are_routes_of_the_api() -> None:
    there = {(one["Properties"]["Method"], one["Properties"]["Path"]) for one in EVENTS.values()}

    assert {(one["HttpMethod"], path(one)) for one in ROUTES} <= there


def test_iam_guards_the_routes_about_users_and_no_other() -> None:
    iam = {"Authorizer": "AWS_IAM", "InvokeRole": "NONE"}
    for event in EVENTS.values():
        route = event["Properties"]
        assert route.get("Auth") == (iam if route["Path"].startswith("/users/") else None)
    # Nothing is guarded, or let in, by a setting of the whole API.
    assert set(API["Auth"]) == {"ResourcePolicy"}
    assert "DefaultAuthorizer" not in json.dumps(API)


def test_every_route_is_on_the_one_api() -> None:
    assert all(event["Properties"]["RestApiId"] == {"Ref": "Api"} for event in EVENTS.values())
    others = [event for name in FUNCTIONS if name != "WebhookFunction" for event in
              FUNCTIONS[name]["Events"].values()]  # fmt: skip
    assert all(event["Type"] not in {"Api", "HttpApi"} for event in others)
    assert all("FunctionUrlConfig" not in function for function in FUNCTIONS.values())


@pytest.mark.parametrize("who", CALLS)
def test_policy_of_the_api_lets_in_whom_it_should(who: str) -> None:
    """`test_translated` holds what SAM makes of it to the same tables of AWS."""
    routes = (event["Properties"] for event in EVENTS.values())
    ranges = json.dumps(RANGES)
    given = json.dumps(API["Auth"]["ResourcePolicy"]["CustomStatements"]).replace(
        json.dumps({"Ref": "AllowedSourceCidrs"}), ranges
    )

    Api(
        frozenset(Route(one["Method"], one["Path"], iam="Auth" in one) for one in routes),
        tuple(json.loads(given)),
    ).promised(CALLS[who])


@pytest.mark.parametrize(
    ("ranges", "allowed"),
    [
        ("0.0.0.0/0", True),
        ("192.0.2.0/24,198.51.100.7/32", True),
        ("192.0.2.7", True),
        ("255.255.255.255/32", True),
        ("", False),
        ("192.0.2.0/24, 198.51.100.0/24", False),
        ("192.0.2.0/24,", False),
        (",192.0.2.0/24", False),
        ("192.0.2.0/24;198.51.100.0/24", False),
        ("192.0.2/24", False),
        ("192.0.2.256/24", False),
        ("192.0.2.0/33", False),
        ("2001:db8::/32", False),
        ("*", False),
    ],
)
def test_address_ranges_are_ranges_that_the_policy_can_hold(ranges: str, allowed: bool) -> None:
    parameter = TEMPLATE["Parameters"]["AllowedSourceCidrs"]

    assert (parameter["Type"], parameter["Default"]) == ("String", "0.0.0.0/0")
    assert (re.fullmatch(parameter["AllowedPattern"], ranges) is not None) == allowed


def test_web_acl_is_put_before_the_stage_where_one_is_given() -> None:
    association = RESOURCES["WebAclAssociation"]

    assert TEMPLATE["Parameters"]["WebAclArn"]["Default"] == ""
    assert TEMPLATE["Conditions"][association["Condition"]] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "WebAclArn"}, ""]}]
    }
    assert association["Properties"]["WebACLArn"] == {"Ref": "WebAclArn"}
    # By reference, so that the stage is there before it is associated.
    assert association["Properties"]["ResourceArn"]["Fn::Sub"].endswith(
        "/restapis/${Api}/stages/${Api.Stage}"
    )


def test_user_ids_are_hashed_in_logs_unless_the_operator_says_otherwise() -> None:
    parameter = TEMPLATE["Parameters"]["LogUserIds"]

    assert parameter["Default"] == "hashed"
    assert parameter["AllowedValues"] == ["hashed", "plain"]
    assert GLOBAL["Environment"]["Variables"]["LOG_USER_IDS"] == {"Ref": "LogUserIds"}


def test_no_value_of_the_secret_is_in_the_template_or_the_environment() -> None:
    text = Path("template.yaml").read_text()

    assert "{{resolve:" not in text
    assert not re.search(r"\bak_|whsec_", text)
    for name, value in GLOBAL["Environment"]["Variables"].items():
        assert "Secret" not in json.dumps(value) or (name, value) == (
            "SECRET_ID",
            {"Fn::GetAtt": ["Secret", "Id"]},
        )
    assert not [name for name in TEMPLATE["Parameters"] if re.search("(?i)key|secret|token", name)]


@pytest.mark.parametrize(
    "answer",
    [
        Response(200, {"a": 1}),
        Response(200, page.ready(), page.HEADERS),
        Response(200, PAGES.ready(), PAGES.headers),
        Response(303, "", {"location": "https://app.example"}),
        Response(304, "", {"etag": '"x"', "cache-control": "private, no-cache"}),
        refusal(Refused(503, "later")),
    ],
)
def test_every_answer_has_the_security_headers(answer: Response) -> None:
    headers = answer.proxy()["headers"]

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in {"no-referrer", "same-origin"}
    assert headers["strict-transport-security"].startswith("max-age=")
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] in {"no-store", "private, no-cache"}
    assert all(name == name.lower() for name in headers)
