"""The JSON shapes of Composio's answers (API reference, v3)."""

from dataclasses import asdict
from datetime import datetime

from local.simulator.accounts import Account, AuthConfig
from local.simulator.clock import iso
from local.simulator.servers import Instance, Server
from local.simulator.subscriptions import Subscription


def plain(each: Instance | Server | Subscription) -> dict[str, object]:
    """Shape a record whose fields are all published as they are."""
    return {
        name: iso(value) if isinstance(value, datetime) else value
        for name, value in asdict(each).items()
    }


def state(each: Account, config: AuthConfig) -> dict[str, object]:
    """Shape what Composio knows of the connection itself."""
    return {"authScheme": config.auth_scheme, "val": {"status": each.status.value}}


def account(each: Account, config: AuthConfig, *, full: bool = True) -> dict[str, object]:
    """Shape a connected account; rows of the list are not `full` and lack `params`."""
    shape: dict[str, object] = {
        "id": each.id,
        "toolkit": {"slug": config.toolkit},
        "auth_config": {
            "id": config.id,
            "auth_scheme": config.auth_scheme,
            "is_composio_managed": config.is_composio_managed,
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
        "state": state(each, config),
        "data": {},
        "experimental": {"account_type": each.account_type},
    }
    return shape | {"params": {}} if full else shape


def auth_config(each: AuthConfig, connections: int) -> dict[str, object]:
    """Shape an auth config; `connections` is the number of its accounts."""
    return {
        "id": each.id,
        "type": "default" if each.is_composio_managed else "custom",
        "toolkit": {"slug": each.toolkit, "logo": ""},
        "name": each.name,
        "auth_scheme": each.auth_scheme,
        "is_composio_managed": each.is_composio_managed,
        "status": "DISABLED" if each.is_disabled else "ENABLED",
        "no_of_connections": connections,
        "tool_access_config": {},
        "created_at": iso(each.created_at),
        "last_updated_at": iso(each.updated_at),
    }


def server(
    each: Server, *, toolkits: list[str], instances: int, base_url: str, full: bool
) -> dict[str, object]:
    """Shape an MCP server; rows of the list are not `full` and lack `deleted`."""
    url = f"{base_url}/v3/mcp/{each.id}"
    shape = plain(each) | {
        "toolkits": toolkits,
        "toolkit_icons": dict.fromkeys(toolkits, ""),
        "mcp_url": url,
        "commands": {"cursor": url, "claude": url, "windsurf": url},
        "server_instance_count": instances,
        "managed_auth_via_composio": False,
    }
    return shape | {"deleted": False} if full else shape
