"""Builds the real objects from the environment, once per execution environment."""

import os
from functools import cache

import boto3
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from botocore.config import Config

from handler.bookmarks import Bookmarks
from handler.catalog import Catalog
from handler.composio import Composio
from handler.credentials import Credentials
from handler.dynamodb import Store
from handler.provisioning import Provisioning
from handler.settings import Settings
from handler.sweep import Sweep
from handler.table import Table
from handler.tasks import Queue
from handler.telemetry import hashed
from handler.transport import Transport, connect

_CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    tcp_keepalive=True,
)


@cache
def settings() -> Settings:
    """Return the settings.

    Raises:
        SettingsError: The environment is not usable.
    """
    return Settings.from_environment(os.environ)


@cache
def credentials() -> Credentials:
    """Return the credentials."""
    client = boto3.client("secretsmanager", config=_CONFIG)
    return Credentials(SecretsProvider(boto3_client=client), settings().secret_id)


@cache
def provisioning() -> Provisioning:
    """Return the way of a fact, with the real table and the real Composio at its sides."""
    name = str if settings().log_user_ids == "plain" else hashed
    return Provisioning(table(), composio(), catalog(), name=name)


@cache
def table() -> Table:
    """Return the users' part of the table."""
    return Table(_store())


@cache
def queue() -> Queue:
    """Return the queue."""
    return Queue(boto3.client("sqs", config=_CONFIG), settings().queue_url)


@cache
def sweep() -> Sweep:
    """Return the sweep."""
    return Sweep(Bookmarks(_store()), composio(), catalog(), provisioning(), queue())


@cache
def _store() -> Store:
    return Store(boto3.client("dynamodb", config=_CONFIG), settings().table_name)


@cache
def composio() -> Composio:
    """Return Composio's verbs."""
    return Composio(Transport(connect(settings().composio_base_url), credentials()))


@cache
def catalog() -> Catalog:
    """Return the catalog."""
    return Catalog(Bookmarks(_store()), composio(), settings().enrolled)
