"""The template as CloudFormation gets it, after SAM has translated it."""

import functools
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.template.api_access import CALLS, RANGES, Api, Route

pytestmark = pytest.mark.slow
# Its environment is not ours: sam's translator needs another pydantic.
PYTHON = ".tools/sam/bin/python"
TRANSLATE = Path(__file__).with_name("translate.py")


@functools.cache
def translated(**parameters: str) -> dict[str, Any]:
    """Return the resources, with these parameters and the defaults of the others."""
    done = subprocess.run(  # noqa: S603 -- of our own making
        [PYTHON, str(TRANSLATE), json.dumps(parameters)],
        check=True,
        stdout=subprocess.PIPE,
        env=os.environ | {"AWS_DEFAULT_REGION": "us-east-1"},
    )
    resources: dict[str, Any] = json.loads(done.stdout)["Resources"]
    return resources


def api() -> Api:
    body = translated(AllowedSourceCidrs=RANGES)["Api"]["Properties"]["Body"]
    assert "security" not in body
    return Api(
        frozenset(
            Route(method.upper(), path, iam=operation.get("security") == [{"AWS_IAM": []}])
            for path, item in body["paths"].items()
            for method, operation in item.items()
        ),
        tuple(body["x-amazon-apigateway-policy"]["Statement"]),
    )


@pytest.mark.parametrize("who", CALLS)
def test_the_translated_api_admits_the_promised_callers(who: str) -> None:
    api().assert_promised(CALLS[who])


def test_only_the_routes_about_users_require_a_signature() -> None:
    assert {route.iam for route in api().routes} == {True, False}
    assert all(route.iam == route.path.startswith("/users/") for route in api().routes)


def named(pattern: str, resources: dict[str, Any]) -> set[str]:
    return {name for name in resources if re.match(pattern, name)}


def test_changed_address_ranges_deploy_the_api_again() -> None:
    """A policy takes effect only when the API is deployed again."""
    deployed = [
        named("ApiDeployment", translated(AllowedSourceCidrs=one))
        for one in ("192.0.2.7/32", RANGES)
    ]

    assert len(set().union(*deployed)) == 2


def test_web_acl_waits_for_the_stage() -> None:
    arn = translated()["WebAclAssociation"]["Properties"]["ResourceArn"]["Fn::Sub"]

    (stage,) = named("Api.*Stage$", translated())
    assert arn.endswith(f"/restapis/${{Api}}/stages/${{{stage}}}")


def test_translation_keeps_the_attributes_that_matter() -> None:
    resources = translated()

    assert resources["WorkerFunction"]["Properties"]["RecursiveLoop"] == "Allow"
    assert resources["Table"]["DeletionPolicy"] == "RetainExceptOnCreate"
    mapping = resources["AnnouncerFunctionOutcomes"]["Properties"]
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == {
        "Fn::GetAtt": ["DeadLetterQueue", "Arn"]
    }
    for name in ("Webhook", "Worker", "Announcer"):
        assert resources[f"{name}Function"]["Properties"]["TracingConfig"] == {"Mode": "Active"}
        (version,) = named(f"{name}FunctionVersion", resources)
        assert resources[version]["Properties"]["Description"] == {"Ref": "Release"}
