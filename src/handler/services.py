"""Wires the objects that the entry points share, once per execution environment."""

import os
import random
import time
import uuid
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from handler.account_table import AccountTable
from handler.catalog import Catalog
from handler.catalog_table import CatalogTable
from handler.clients import client
from handler.composio import Composio
from handler.creation import Creation
from handler.credentials import Credentials
from handler.dynamodb import Table
from handler.provisioning import Provisioning
from handler.queue import Queue
from handler.settings import Settings, enrolled_servers
from handler.target_table import TargetTable
from handler.telemetry import hashed
from handler.transport import Transport, connect
from handler.walk_table import WalkTable

if TYPE_CHECKING:
    import httpx


class Sources(NamedTuple):
    """Where everything comes from that is not a value.

    `client` returns a boto3 client by its service's name, `http` makes the client of Composio,
    `clock` is Unix seconds, `jitter` is random in [0, 1), and `token` is unique.
    """

    client: Callable[[str], Any]
    http: Callable[[str], "httpx.Client"]
    clock: Callable[[], float] = time.time
    jitter: Callable[[], float] = random.random
    token: Callable[[], str] = lambda: uuid.uuid4().hex
    sleep: Callable[[float], None] = time.sleep


class Services(NamedTuple):
    """What the entry points, the command line and the tests are built from."""

    settings: Settings
    sources: Sources
    credentials: Credentials
    target_table: TargetTable
    catalog_table: CatalogTable
    walk_table: WalkTable
    composio: Composio
    catalog: Catalog
    provisioning: Provisioning
    queue: Queue


def wire(settings: Settings, sources: Sources) -> Services:
    """Return the services over these clients; no call is made."""
    clock = sources.clock
    credentials = Credentials(sources.client("secretsmanager"), settings.secret_id, clock)
    table = Table(sources.client("dynamodb"), settings.table_name)
    account_table, target_table = AccountTable(table), TargetTable(table)
    walk_table = WalkTable(table)
    catalog_table = CatalogTable(table, walk_table)
    http = partial(sources.http, settings.composio_base_url)
    composio = Composio(Transport(http, credentials, clock))
    base_url = settings.composio_base_url
    enrolled = enrolled_servers(settings.mcp_server_ids)
    catalog = Catalog(catalog_table, composio, enrolled, base_url, clock)
    creation = Creation(account_table, target_table, composio, clock, sources.jitter, sources.token)
    queue = Queue(sources.client("sqs"), settings.queue_url)
    name = str if settings.log_user_ids == "plain" else hashed
    provisioning = Provisioning(
        account_table, target_table, composio, catalog, creation, queue, clock, name
    )
    tables = (target_table, catalog_table, walk_table)
    return Services(settings, sources, credentials, *tables, composio, catalog, provisioning, queue)


@cache
def deployed() -> Services:
    """Return the services of this execution environment.

    Raises:
        SettingsError: The environment is not usable.
    """
    return wire(Settings.from_environment(os.environ), Sources(client, connect))
