"""Our own verbs that put things into the project and move them, below `/_control`."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.simulator import wire
from local.simulator.accounts import Account, AuthConfig
from local.simulator.commands import (
    ChangeAccount,
    ChangeAuthConfig,
    SeedAccount,
    SeedAccounts,
    SeedAuthConfig,
    SeedInstances,
    SeedServer,
)
from local.simulator.moment import random_id
from local.simulator.project import Project
from local.simulator.requests import project_of, segment


async def seed_auth_config(request: Request) -> JSONResponse:
    """POST /_control/auth_configs."""
    project = project_of(request)
    command = SeedAuthConfig.read(await request.body())
    at = project.ticker.tick()
    config = AuthConfig(
        id=command.id or random_id("ac_"),
        toolkit=command.toolkit,
        name=command.name or command.toolkit,
        auth_scheme=command.auth_scheme,
        is_composio_managed=command.is_composio_managed,
        is_disabled=command.is_disabled,
        created_at=at,
        updated_at=at,
    )
    project.connections.auth_configs[config.id] = config
    return JSONResponse(wire.auth_config(config, 0), 201)


async def change_auth_config(request: Request) -> JSONResponse:
    """PATCH /_control/auth_configs/{id}."""
    project = project_of(request)
    command = ChangeAuthConfig.read(await request.body())
    config = replace(
        project.connections.auth_config(segment(request, "id")),
        is_disabled=command.is_disabled,
        updated_at=project.ticker.tick(),
    )
    project.connections.auth_configs[config.id] = config
    return JSONResponse(wire.auth_config(config, 0))


async def seed_server(request: Request) -> JSONResponse:
    """POST /_control/servers."""
    project = project_of(request)
    command = SeedServer.read(await request.body())
    server = project.servers.new(command.name, command.auth_config_ids, server_id=command.id)
    return JSONResponse(project.shape_server(server), 201)


async def seed_accounts(request: Request) -> JSONResponse:
    """POST /_control/accounts: many at once, each straight into its status."""
    project = project_of(request)
    command = SeedAccounts.read(await request.body())
    for seed in command.accounts:
        project.connections.auth_config(seed.auth_config_id)
    seeded = [project.connections.put(_account(project, seed)) for seed in command.accounts]
    sent = [project.announce(each) for each in seeded] if command.webhook else []
    return JSONResponse(
        {"ids": [each.id for each in seeded], "webhook_ids": [each for each in sent if each]}, 201
    )


async def change_account(request: Request) -> JSONResponse:
    """PATCH /_control/accounts/{id}: any status from any status; `updated_at` always moves."""
    project = project_of(request)
    command = ChangeAccount.read(await request.body())
    account = project.connections.get(segment(request, "id"))
    changed = replace(
        account,
        status=command.status or account.status,
        status_reason=command.status_reason,
        is_disabled=account.is_disabled if command.is_disabled is None else command.is_disabled,
        updated_at=project.ticker.tick(),
    )
    project.connections.put(changed)
    webhook_id = project.announce(changed) if command.webhook else None
    return JSONResponse({**project.shape_for_control(changed), "webhook_id": webhook_id})


async def seed_instances(request: Request) -> JSONResponse:
    """POST /_control/instances: instances that exist already, without any check."""
    project = project_of(request)
    command = SeedInstances.read(await request.body())
    made = [
        project.servers.put_instance(command.server_id, user_id) for user_id in command.user_ids
    ]
    return JSONResponse({"ids": [each.id for each in made]}, 201)


ROUTES = [
    Route("/auth_configs", seed_auth_config, methods=["POST"]),
    Route("/auth_configs/{id}", change_auth_config, methods=["PATCH"]),
    Route("/servers", seed_server, methods=["POST"]),
    Route("/accounts", seed_accounts, methods=["POST"]),
    Route("/accounts/{id}", change_account, methods=["PATCH"]),
    Route("/instances", seed_instances, methods=["POST"]),
]


def _account(project: Project, seed: SeedAccount) -> Account:
    at = project.ticker.tick()
    return Account(
        id=seed.id or random_id("ca_"),
        user_id=seed.user_id,
        auth_config_id=seed.auth_config_id,
        status=seed.status,
        status_reason=seed.status_reason,
        is_disabled=seed.is_disabled,
        account_type=seed.account_type,
        created_at=seed.created_at or at,
        updated_at=seed.updated_at or seed.created_at or at,
    )
