"""What Lambda SnapStart finds in memory when it takes the snapshot, and changes when it restores.

A snapshot is taken once for each published version, long before the first event, and restored
many times (docs.aws.amazon.com/lambda, "Improving startup performance with SnapStart"). So what
an event would otherwise wait for is done before, but nothing that has an age is kept: no secret,
no catalog, no connection.
"""

import random

from snapshot_restore_py import register_after_restore, register_before_snapshot

from handler import services
from handler.clients import client
from handler.telemetry import logger


def register() -> None:
    """Have the runtime call what is below; Lambda's own library, only there where it is used."""
    register_before_snapshot(prepare)
    register_after_restore(renew)


def prepare() -> None:
    """Do what the first event would wait for: import httpx, and make one call to DynamoDB."""
    services.deployed().composio.transport.http  # noqa: B018 -- it is made when it is looked at
    try:
        services.deployed().catalog_table.catalog()
    except Exception:  # noqa: BLE001 - only the first event is then slower
        logger.exception("the table cannot be read before the snapshot")
    finally:
        client("dynamodb").close()  # it connects again when it is used


def renew() -> None:
    """Seed what would otherwise be the same in every restored environment.

    `uuid4` asks the system, which Lambda seeds itself.
    """
    random.seed()
