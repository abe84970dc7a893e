"""Our own routes below `/_control` that put things into the project and change them."""

from dataclasses import replace

from local.simulator import wire
from local.simulator.accounts import Account
from local.simulator.call import Call, Routes
from local.simulator.clock import random_id
from local.simulator.commands import (
    ChangeAccount,
    ChangeAuthConfig,
    NewAccount,
    NewAccounts,
    NewAuthConfig,
    NewInstances,
    NewServer,
)
from local.simulator.project import Project

ROUTES = Routes()


@ROUTES.on("POST", "/auth_configs", status=201)
def add_auth_config(call: Call) -> object:
    """Add an auth config, or replace the one that has its id."""
    command = call.read(NewAuthConfig)
    config = call.project.connections.new_auth_config(
        command.toolkit, command.id, command.auth_scheme
    )
    return wire.auth_config(config, 0)


@ROUTES.on("PATCH", "/auth_configs/{id}")
def change_auth_config(call: Call) -> object:
    """Disable or enable an auth config."""
    connections = call.project.connections
    config = replace(
        connections.auth_config(call.path("id")),
        is_disabled=call.read(ChangeAuthConfig).is_disabled,
        updated_at=call.project.clock.tick(),
    )
    connections.auth_configs[config.id] = config
    return wire.auth_config(config, 0)


@ROUTES.on("POST", "/servers", status=201)
def add_server(call: Call) -> object:
    """Add an MCP server, or replace the one that has its id."""
    command, project = call.read(NewServer), call.project
    server = project.servers.new(command.name, command.auth_config_ids, server_id=command.id)
    return project.shape_server(server)


@ROUTES.on("POST", "/accounts", status=201)
def add_accounts(call: Call) -> object:
    """Add many accounts, each in the status that is given."""
    command, project = call.read(NewAccounts), call.project
    for new in command.accounts:
        project.connections.auth_config(new.auth_config_id)
    added = [project.connections.put(_account(project, new)) for new in command.accounts]
    sent = [project.announce(each) for each in added] if command.webhook else []
    return {"ids": [each.id for each in added], "webhook_ids": [each for each in sent if each]}


@ROUTES.on("PATCH", "/accounts/{id}")
def change_account(call: Call) -> object:
    """Move an account from any status to any other; `updated_at` always moves."""
    command, project = call.read(ChangeAccount), call.project
    account = project.connections.get(call.path("id"))
    changed = replace(
        account,
        status=command.status or account.status,
        is_disabled=account.is_disabled if command.is_disabled is None else command.is_disabled,
        updated_at=project.clock.tick(),
    )
    project.connections.put(changed)
    webhook_id = project.announce(changed) if command.webhook else None
    return {**project.shape_account(changed), "webhook_id": webhook_id}


@ROUTES.on("POST", "/instances", status=201)
def add_instances(call: Call) -> object:
    """Add instances without any check."""
    command, servers = call.read(NewInstances), call.project.servers
    for user_id in command.user_ids:
        servers.put_instance(command.server_id, user_id)
    return {}


def _account(project: Project, new: NewAccount) -> Account:
    at = project.clock.tick()
    return Account(
        id=new.id or random_id("ca_"),
        user_id=new.user_id,
        auth_config_id=new.auth_config_id,
        status=new.status,
        is_disabled=new.is_disabled,
        account_type=new.account_type,
        created_at=new.created_at or at,
        updated_at=new.updated_at or new.created_at or at,
    )
