"""A secret, a scripted network, and three tables for rows: the fake's, the emulator's, moto's.

moto differs from DynamoDB in two ways that matter here: every read is consistent, so the tests
check the request as well; and it has another limit for items, which `test_dynamodb.py` states.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.config import Config

from handler.credentials import Credentials
from handler.dynamodb import Table
from local.emulator import REGION, emulator
from tests.doubles import Clock, FakeSecretsManager
from tests.fakes.dynamodb import FakeDynamoDB
from tests.handler.scripted_composio import ScriptedComposio
from tests.handler.stored_secret import API_KEY, SECRET_ID, WEBHOOK_SECRET
from tests.template.sam_template import RESOURCES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEPT = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


def _client(endpoint_url: str | None) -> "contextlib.closing[DynamoDBClient]":
    client = boto3.client(
        "dynamodb",
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    return contextlib.closing(client)


@pytest.fixture(scope="session")
def emulated() -> Iterator["DynamoDBClient"]:
    """Return a client of an emulator that only these tests use."""
    with emulator() as endpoint_url, _client(endpoint_url) as client:
        yield client


@pytest.fixture
def moto() -> Iterator["DynamoDBClient"]:
    """Return a client of a new moto."""
    from moto import mock_aws  # noqa: PLC0415 -- it takes as long to import as many fast tests

    with mock_aws(), _client(None) as client:
        yield client


@pytest.fixture(
    params=[
        "fake",
        pytest.param("emulated", marks=pytest.mark.slow),
        pytest.param("moto", marks=pytest.mark.slow),
    ]
)
def empty_table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Return an empty table with the keys and the index of the template."""
    if request.param == "fake":
        yield Table(cast("DynamoDBClient", FakeDynamoDB("table")), "table")
        return
    client: DynamoDBClient = request.getfixturevalue(request.param)
    described: Any = {name: RESOURCES["Table"]["Properties"][name] for name in KEPT}
    client.create_table(TableName="table", **described)
    yield Table(client, "table")
    client.delete_table(TableName="table")


@pytest.fixture
def store() -> FakeSecretsManager:
    store = FakeSecretsManager()
    store.keep(API_KEY, WEBHOOK_SECRET)
    return store


@pytest.fixture
def credentials(store: FakeSecretsManager, clock: Clock) -> Credentials:
    secrets = cast("SecretsManagerClient", store)
    return Credentials(secrets, SECRET_ID, clock=clock)


@pytest.fixture
def composio(clock: Clock) -> ScriptedComposio:
    return ScriptedComposio(clock)
