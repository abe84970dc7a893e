"""The JSON shapes of Composio's answers (API reference, v3)."""

from dataclasses import asdict
from datetime import datetime

from local.simulator.accounts import Account, AuthConfig, Status
from local.simulator.clock import iso
from local.simulator.servers import Instance, Server
from local.simulator.subscriptions import Subscription

# Composio shows the first four characters of a token (changelog of 2026-06-04).
_MASKED = "simu..."


def plain(each: Instance | Server | Subscription) -> dict[str, object]:
    """Shape a record whose fields are all published as they are."""
    return {
        name: iso(value) if isinstance(value, datetime) else value
        for name, value in asdict(each).items()
    }


def account(
    each: Account, config: AuthConfig, *, link_url: str, full: bool = True
) -> dict[str, object]:
    """Shape a connected account; rows of the list are not `full` and lack `params`."""
    shape: dict[str, object] = {
        "id": each.id,
        "toolkit": {"slug": config.toolkit},
        "auth_config": {
            "id": config.id,
            "auth_scheme": config.auth_scheme,
            "is_composio_managed": True,
            "is_disabled": config.is_disabled,
        },
        "word_id": f"{config.toolkit}_{each.id.removeprefix('ca_')}",
        "alias": each.alias,
        "user_id": each.user_id,
        "status": each.status.value,
        "status_reason": each.status_reason,
        "is_disabled": each.is_disabled,
        "created_at": iso(each.created_at),
        "updated_at": iso(each.updated_at),
        "state": {"authScheme": config.auth_scheme, "val": _state(each, config, link_url)},
        "data": {},
        "experimental": {"account_type": each.account_type},
    }
    return shape | {"params": {}} if full else shape


def _state(each: Account, config: AuthConfig, link_url: str) -> dict[str, object]:
    known = each.connection_data | {"status": each.status.value}
    if config.auth_scheme == "OAUTH2" and each.status is Status.INITIATED:
        known["redirectUrl"] = link_url
    if config.auth_scheme == "OAUTH2" and each.status in {Status.ACTIVE, Status.INACTIVE}:
        known["access_token"] = _MASKED
    return known


def auth_config(each: AuthConfig, connections: int) -> dict[str, object]:
    """Shape an auth config; `connections` is the number of its accounts."""
    return {
        "id": each.id,
        "uuid": each.id,
        "type": "default",
        "toolkit": {"slug": each.toolkit, "logo": ""},
        "name": each.toolkit,
        "auth_scheme": each.auth_scheme,
        "is_composio_managed": True,
        "status": "DISABLED" if each.is_disabled else "ENABLED",
        "no_of_connections": connections,
        "tool_access_config": {},
        "created_at": iso(each.created_at),
        "last_updated_at": iso(each.updated_at),
    }


def server(
    each: Server, *, toolkits: list[str], instances: int, url: str, full: bool
) -> dict[str, object]:
    """Shape an MCP server; rows of the list are not `full` and lack `deleted`."""
    shape = plain(each) | {
        "toolkits": toolkits,
        "toolkit_icons": dict.fromkeys(toolkits, ""),
        "mcp_url": url,
        "commands": {"cursor": url, "claude": url, "windsurf": url},
        "server_instance_count": instances,
        "managed_auth_via_composio": False,
    }
    return shape | {"deleted": False} if full else shape
