"""Our own routes below `/_control` that put things into the project and change them."""

from dataclasses import replace
from typing import Any

from pydantic import AwareDatetime

from local.simulator import wire
from local.simulator.accounts import Account, AccountType, Status
from local.simulator.bodies import Command, Text
from local.simulator.call import Call, Routes
from local.simulator.clock import random_id
from local.simulator.project import Project

ROUTES = Routes()


class _NewAuthConfig(Command):
    toolkit: Text
    id: Text | None = None
    auth_scheme: str = "OAUTH2"


class _ChangeAuthConfig(Command):
    is_disabled: bool


class _NewServer(Command):
    """Unlike Composio's it takes the id and an empty requirement."""

    name: Text
    auth_config_ids: tuple[str, ...]
    id: Text | None = None


class _NewAccount(Command):
    user_id: Text
    auth_config_id: Text
    status: Status = Status.ACTIVE
    id: Text | None = None
    is_disabled: bool = False
    account_type: AccountType = "PRIVATE"
    created_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None


class _NewAccounts(Command):
    accounts: list[_NewAccount]
    webhook: bool = False


class _ChangeAccount(Command):
    status: Status | None = None
    is_disabled: bool | None = None
    webhook: bool = True


class _NewInstances(Command):
    server_id: Text
    user_ids: list[Text]


@ROUTES.on("POST", "/auth_configs", status=201)
def _add_auth_config(call: Call) -> object:
    """Add an auth config, or replace the one that has its id."""
    command = call.read(_NewAuthConfig)
    config = call.project.connections.new_auth_config(
        command.toolkit, command.id, command.auth_scheme
    )
    return wire.auth_config(config, 0)


@ROUTES.on("PATCH", "/auth_configs/{id}")
def _change_auth_config(call: Call) -> object:
    connections = call.project.connections
    config = replace(
        connections.auth_config(call.path()),
        is_disabled=call.read(_ChangeAuthConfig).is_disabled,
        updated_at=call.project.clock.tick(),
    )
    connections.auth_configs[config.id] = config
    return wire.auth_config(config, 0)


@ROUTES.on("POST", "/servers", status=201)
def _add_server(call: Call) -> object:
    """Add an MCP server, or replace the one that has its id."""
    command, project = call.read(_NewServer), call.project
    server = project.servers.new(command.name, command.auth_config_ids, server_id=command.id)
    return project.shape_server(server)


@ROUTES.on("POST", "/accounts", status=201)
def _add_accounts(call: Call) -> object:
    """Add many accounts, each in the status that is given."""
    command, project = call.read(_NewAccounts), call.project
    for new in command.accounts:
        project.connections.auth_config(new.auth_config_id)
    added = [project.connections.put(_account(project, new)) for new in command.accounts]
    sent = [project.announce(each) for each in added] if command.webhook else []
    return {"ids": [each.id for each in added], "webhook_ids": [each for each in sent if each]}


@ROUTES.on("PATCH", "/accounts/{id}")
def _change_account(call: Call) -> object:
    """Move an account from any status to any other; `updated_at` always moves."""
    command, project = call.read(_ChangeAccount), call.project
    account = project.connections.get(call.path())
    changes = command.model_dump(exclude={"webhook"}, exclude_none=True)
    changed = replace(account, updated_at=project.clock.tick(), **changes)
    project.connections.put(changed)
    webhook_id = project.announce(changed) if command.webhook else None
    return {**project.shape_account(changed), "webhook_id": webhook_id}


@ROUTES.on("POST", "/instances", status=201)
def _add_instances(call: Call) -> object:
    """Add instances without any check."""
    command, servers = call.read(_NewInstances), call.project.servers
    for user_id in command.user_ids:
        servers.put_instance(command.server_id, user_id)
    return {}


def _account(project: Project, new: _NewAccount) -> Account:
    at = project.clock.tick()
    usual: dict[str, Any] = {
        "id": random_id("ca_"),
        "created_at": at,
        "updated_at": new.created_at or at,
    }
    return Account(**usual | new.model_dump(exclude_none=True))
