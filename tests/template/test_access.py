"""Access in the template: who may call which route, how often, and where secrets are."""

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
SOURCE_CIDRS = TEMPLATE["Parameters"]["AllowedSourceCidrs"]
EVENTS: dict[str, Any] = FUNCTIONS["WebhookFunction"]["Events"]


def path(setting: dict[str, Any]) -> str:
    """Return the route that a method setting is for, as the events spell it."""
    return str(setting["ResourcePath"]).removeprefix("/").replace("~1", "/")


def test_routes_that_call_composio_are_throttled_lower_than_the_stage() -> None:
    assert (STAGE["ResourcePath"], STAGE["HttpMethod"]) == ("/*", "*")
    there = {(one["Properties"]["Method"], one["Properties"]["Path"]) for one in EVENTS.values()}
    throttled = {(one["HttpMethod"], path(one)) for one in ROUTES}
    assert throttled <= there
    assert throttled == {
        ("GET", "/oauth/callback"),
        ("POST", "/users/{user_id}/refresh"),
        *CONNECT_ROUTES,
    }
    for one in ROUTES:
        assert one["ThrottlingRateLimit"] < STAGE["ThrottlingRateLimit"]
        assert one["ThrottlingBurstLimit"] < STAGE["ThrottlingBurstLimit"]


def test_iam_guards_only_the_routes_about_users() -> None:
    iam = {"Authorizer": "AWS_IAM", "InvokeRole": "NONE"}
    for event in EVENTS.values():
        route = event["Properties"]
        assert route.get("Auth") == (iam if route["Path"].startswith("/users/") else None)
    # No setting of the whole API guards or opens a route.
    assert set(API["Auth"]) == {"ResourcePolicy"}
    assert "DefaultAuthorizer" not in json.dumps(API)


def test_every_route_is_on_the_one_api() -> None:
    assert all(event["Properties"]["RestApiId"] == {"Ref": "Api"} for event in EVENTS.values())
    others = [event for name in FUNCTIONS if name != "WebhookFunction" for event in
              FUNCTIONS[name]["Events"].values()]  # fmt: skip
    assert all(event["Type"] not in {"Api", "HttpApi"} for event in others)
    assert all("FunctionUrlConfig" not in function for function in FUNCTIONS.values())


@pytest.mark.parametrize("who", CALLS)
def test_the_policy_of_the_api_admits_the_promised_callers(who: str) -> None:
    """`test_translated` asserts the same of what SAM makes of it."""
    routes = (event["Properties"] for event in EVENTS.values())
    ranges = json.dumps(RANGES)
    given = json.dumps(API["Auth"]["ResourcePolicy"]["CustomStatements"]).replace(
        json.dumps({"Ref": "AllowedSourceCidrs"}), ranges
    )

    Api(
        frozenset(Route(one["Method"], one["Path"], iam="Auth" in one) for one in routes),
        tuple(json.loads(given)),
    ).assert_promised(CALLS[who])


@pytest.mark.parametrize(
    "ranges", ["0.0.0.0/0", "192.0.2.0/24,198.51.100.7/32", "192.0.2.7", "255.255.255.255/32"]
)
def test_address_ranges_may_be_several(ranges: str) -> None:
    assert re.fullmatch(SOURCE_CIDRS["AllowedPattern"], ranges)


@pytest.mark.parametrize(
    "ranges",
    [
        "",
        "192.0.2.0/24, 198.51.100.0/24",
        "192.0.2.0/24,",
        ",192.0.2.0/24",
        "192.0.2.0/24;198.51.100.0/24",
        "192.0.2/24",
        "192.0.2.256/24",
        "192.0.2.0/33",
        "2001:db8::/32",
        "*",
    ],
)
def test_address_ranges_that_a_policy_cannot_have_are_refused(ranges: str) -> None:
    assert (SOURCE_CIDRS["Type"], SOURCE_CIDRS["Default"]) == ("String", "0.0.0.0/0")
    assert not re.fullmatch(SOURCE_CIDRS["AllowedPattern"], ranges)


def test_a_given_web_acl_protects_the_stage() -> None:
    association = RESOURCES["WebAclAssociation"]

    assert TEMPLATE["Parameters"]["WebAclArn"]["Default"] == ""
    assert TEMPLATE["Conditions"][association["Condition"]] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "WebAclArn"}, ""]}]
    }
    assert association["Properties"]["WebACLArn"] == {"Ref": "WebAclArn"}
    # By reference, so that the stage exists before it is associated.
    assert association["Properties"]["ResourceArn"]["Fn::Sub"].endswith(
        "/restapis/${Api}/stages/${Api.Stage}"
    )


def test_user_ids_are_hashed_in_logs_by_default() -> None:
    parameter = TEMPLATE["Parameters"]["LogUserIds"]

    assert parameter["Default"] == "hashed"
    assert parameter["AllowedValues"] == ["hashed", "plain"]
    assert GLOBAL["Environment"]["Variables"]["LOG_USER_IDS"] == {"Ref": "LogUserIds"}


def test_no_secret_is_in_the_template_or_the_environment() -> None:
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
