"""Builds the real objects from the environment, once per execution environment."""

import os
from functools import cache, partial

from handler.bookmarks import Bookmarks
from handler.catalog import Catalog
from handler.clients import client
from handler.composio import Composio
from handler.creation import Creation
from handler.credentials import Credentials
from handler.dynamodb import Store
from handler.provisioning import Provisioning
from handler.settings import Settings
from handler.sweep import Sweep
from handler.table import Table
from handler.tasks import Queue
from handler.telemetry import hashed
from handler.transport import Transport, connect


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
    return Credentials(client("secretsmanager"), settings().secret_id)


@cache
def provisioning() -> Provisioning:
    """Return the way of a fact, with the real table and the real Composio at its sides."""
    name = str if settings().log_user_ids == "plain" else hashed
    creation = Creation(table(), composio())
    return Provisioning(table(), composio(), catalog(), creation, name=name)


@cache
def table() -> Table:
    """Return the users' part of the table."""
    return Table(_store())


@cache
def bookmarks() -> Bookmarks:
    """Return the sweep's part of the table."""
    return Bookmarks(_store())


@cache
def queue() -> Queue:
    """Return the queue."""
    return Queue(client("sqs"), settings().queue_url)


@cache
def sweep() -> Sweep:
    """Return the sweep."""
    return Sweep(bookmarks(), composio(), catalog(), provisioning(), queue())


@cache
def composio() -> Composio:
    """Return Composio's verbs."""
    return Composio(transport())


@cache
def transport() -> Transport:
    """Return the way to Composio."""
    return Transport(partial(connect, settings().composio_base_url), credentials())


@cache
def catalog() -> Catalog:
    """Return the catalog."""
    return Catalog(bookmarks(), composio(), settings().enrolled)


@cache
def _store() -> Store:
    return Store(client("dynamodb"), settings().table_name)
