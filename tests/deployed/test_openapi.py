"""The deployed application answers as `docs/openapi.yaml` says, whatever is sent to it.

Schemathesis generates the requests: those that the document allows, and others.
"""

import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, Phase, given, settings

from tests.deployed.application import BOTH, Deployed, someone
from tests.openapi import DOCUMENT, PATH, about_users, routes

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BOUNDED = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class SigV4(requests.auth.AuthBase):
    """Signs as an AWS SDK does."""

    def __init__(self, region: str) -> None:
        credentials = Credentials("test", "test")
        self._signer = SigV4Auth(credentials, "execute-api", region)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the headers."""
        signed = AWSRequest(request.method, request.url, data=request.body)
        self._signer.add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


@pytest.fixture
def session(deployed: Deployed) -> Iterator[requests.Session]:
    """Return a session that does not sign; at the end, only connect sessions were written."""
    before = _users(deployed)
    with requests.Session() as session:
        session.trust_env = False
        yield session
    assert _users(deployed) == before


def _users(deployed: Deployed) -> dict[tuple[str, str], str]:
    return {key: row for key, row in deployed.scan().items() if not key[0].startswith("CONNECT#")}


def attempt(deployed: Deployed, session: requests.Session, method: str, path: str) -> Counter[int]:
    """Send generated requests to the operation, and count the answers by status."""
    operation = schemathesis.openapi.from_dict(DOCUMENT)[path][method]
    counted: Counter[int] = Counter()

    @BOUNDED
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        answer = case.call_and_validate(
            deployed.stack.api_url, session=session, checks=CHECKS, allow_redirects=False
        )
        counted[answer.status_code] += 1

    send()
    return counted


@pytest.mark.parametrize(("method", "path"), sorted(routes()))
def test_generated_requests_without_a_signature_are_answered_as_the_document_says(
    deployed: Deployed, session: requests.Session, method: str, path: str
) -> None:
    counted = attempt(deployed, session, method, path)
    assert sum(counted.values()) >= 20
    if path.startswith("/users"):
        assert set(counted) == {403}


@pytest.mark.parametrize(("method", "path"), about_users())
def test_generated_requests_that_iam_allows_are_answered_as_the_document_says(
    deployed: Deployed, session: requests.Session, method: str, path: str
) -> None:
    session.auth = SigV4(deployed.stack.region)
    counted = attempt(deployed, session, method, path)
    assert set(counted) <= {201 if path.endswith("/connect-sessions") else 200, 400}


def test_known_user_is_shown_as_the_document_says(
    deployed: Deployed,
) -> None:
    user = someone("documented")
    deployed.connect(user, *BOTH)
    auth, schema = SigV4(deployed.stack.region), schemathesis.openapi.from_dict(DOCUMENT)
    for method, path in about_users():
        known = {name: quote(value) for name, value in (PATH | {"user_id": user}).items()}
        url = deployed.stack.api_url + path.format(**known)
        answer = requests.request(method, url, auth=auth, timeout=60)
        assert answer.status_code in {200, 201}
        schema[path][method].validate_response(answer)
        if tag := answer.headers.get("etag"):
            again = requests.get(url, headers={"if-none-match": tag}, auth=auth, timeout=60)
            assert again.status_code == 304
