"""Builds the real objects from the environment, once per execution environment."""

import os
from functools import cache, partial
from typing import NamedTuple

from handler.bookmarks import Bookmarks
from handler.catalog import Catalog
from handler.clients import client
from handler.composio import Composio
from handler.creation import Creation
from handler.credentials import Credentials
from handler.dynamodb import Store
from handler.provisioning import Provisioning
from handler.settings import Settings
from handler.table import Table
from handler.telemetry import hashed
from handler.transport import Transport, connect


class Rooms(NamedTuple):
    """What both doors need."""

    settings: Settings
    credentials: Credentials
    table: Table
    bookmarks: Bookmarks
    composio: Composio
    catalog: Catalog
    provisioning: Provisioning


@cache
def rooms() -> Rooms:
    """Return the rooms, with the real table and the real Composio at their sides.

    Raises:
        SettingsError: The environment is not usable.
    """
    settings = Settings.from_environment(os.environ)
    credentials = Credentials(client("secretsmanager"), settings.secret_id)
    store = Store(client("dynamodb"), settings.table_name)
    table, bookmarks = Table(store), Bookmarks(store)
    composio = Composio(Transport(partial(connect, settings.composio_base_url), credentials))
    catalog = Catalog(bookmarks, composio, settings.enrolled)
    name = str if settings.log_user_ids == "plain" else hashed
    provisioning = Provisioning(table, composio, catalog, Creation(table, composio), name)
    return Rooms(settings, credentials, table, bookmarks, composio, catalog, provisioning)
