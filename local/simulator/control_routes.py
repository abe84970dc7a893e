"""Our own verbs below `/_control`: seed, drive, break and observe. Loopback only, no key."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.simulator import wire
from local.simulator.accounts import Account, AuthConfig, moved
from local.simulator.commands import (
    AdvanceClock,
    ChangeAccount,
    ChangeAuthConfig,
    Command,
    SeedAccount,
    SeedAccounts,
    SeedAuthConfig,
    SeedInstances,
    SeedServer,
    SendEvent,
    SetKeys,
    SetWebhook,
    read_faults,
    read_switches,
)
from local.simulator.moment import iso
from local.simulator.project import Project
from local.simulator.refusal import missing
from local.simulator.requests import project_of, segment


async def show_state(request: Request) -> JSONResponse:
    """GET /_control/state; `?brief=1` leaves out the rows and keeps the counts."""
    project = project_of(request)
    connections, servers = project.connections, project.servers
    instances = [row for rows in servers.instances.values() for row in rows.values()]
    shown: dict[str, object] = {
        "now": iso(project.ticker.now()),
        "switches": project.switches.model_dump(),
        "api_keys": len(project.api_keys),
        "webhook": {"target": project.webhook_target, "secrets": len(project.webhook_secrets)},
        "faults": project.faults.listed(),
        "pending_deliveries": project.deliveries.pending,
        "calls": project.ledger.total,
        "counts": {
            "auth_configs": len(connections.auth_configs),
            "servers": len(servers.by_id),
            "accounts": len(connections.accounts),
            "instances": len(instances),
        },
    }
    if "brief" not in request.query_params:
        configs = connections.auth_configs.values()
        shown["auth_configs"] = [wire.auth_config(each, 0) for each in configs]
        shown["servers"] = [project.shape_server(each) for each in servers.by_id.values()]
        shown["accounts"] = [
            _always_with_user(project, each) for each in connections.accounts.values()
        ]
        shown["instances"] = [wire.instance(each) for each in instances]
    return JSONResponse(shown)


async def reset(request: Request) -> JSONResponse:
    """POST /_control/reset: back to what the command line said."""
    project_of(request).reset()
    return JSONResponse({})


async def set_keys(request: Request) -> JSONResponse:
    """PUT /_control/api_keys: the valid keys from now on."""
    command = await _read(request, SetKeys)
    project_of(request).api_keys = frozenset(command.keys)
    return JSONResponse({"api_keys": len(command.keys)})


async def set_webhook(request: Request) -> JSONResponse:
    """PUT /_control/webhook: a target and secrets that overrule the subscription's."""
    project = project_of(request)
    command = await _read(request, SetWebhook)
    project.webhook_target = command.target
    project.webhook_secrets = command.secrets
    return JSONResponse({"target": command.target, "secrets": len(command.secrets)})


async def set_switches(request: Request) -> JSONResponse:
    """PATCH /_control/switches: what is given changes, the rest stays."""
    project = project_of(request)
    project.switches = read_switches(project.switches, await request.body())
    return JSONResponse(project.switches.model_dump())


async def seed_auth_config(request: Request) -> JSONResponse:
    """POST /_control/auth_configs."""
    project = project_of(request)
    command = await _read(request, SeedAuthConfig)
    at = project.ticker.tick()
    config = AuthConfig(
        id=command.id or project.ids("ac_"),
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
    command = await _read(request, ChangeAuthConfig)
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
    command = await _read(request, SeedServer)
    server = project.servers.new(command.name, tuple(command.auth_config_ids), server_id=command.id)
    return JSONResponse({**project.shape_server(server), "deleted": False}, 201)


async def seed_accounts(request: Request) -> JSONResponse:
    """POST /_control/accounts: many at once, each straight into its status."""
    project = project_of(request)
    command = await _read(request, SeedAccounts)
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
    command = await _read(request, ChangeAccount)
    account = project.connections.get(segment(request, "id"))
    changed = replace(
        moved(
            account, command.status or account.status, command.status_reason, project.ticker.tick()
        ),
        is_disabled=account.is_disabled if command.is_disabled is None else command.is_disabled,
    )
    project.connections.put(changed)
    webhook_id = project.announce(changed) if command.webhook else None
    return JSONResponse({**_always_with_user(project, changed), "webhook_id": webhook_id})


async def seed_instances(request: Request) -> JSONResponse:
    """POST /_control/instances: instances that exist already, without any check."""
    project = project_of(request)
    command = await _read(request, SeedInstances)
    made = [
        project.servers.put_instance(command.server_id, user_id) for user_id in command.user_ids
    ]
    return JSONResponse({"ids": [each.id for each in made]}, 201)


async def add_faults(request: Request) -> JSONResponse:
    """POST /_control/faults: one rule or a list of them."""
    faults = read_faults(await request.body())
    return JSONResponse({"ids": [project_of(request).faults.add(each) for each in faults]}, 201)


async def list_faults(request: Request) -> JSONResponse:
    """GET /_control/faults."""
    return JSONResponse({"faults": project_of(request).faults.listed()})


async def remove_faults(request: Request) -> JSONResponse:
    """DELETE /_control/faults, or /_control/faults/{id}."""
    project_of(request).faults.remove(request.path_params.get("id"))
    return JSONResponse({})


async def show_ledger(request: Request) -> JSONResponse:
    """GET /_control/ledger: shell patterns `method` and `path`, exact `user_id`."""
    query = request.query_params
    return JSONResponse(
        project_of(request).ledger.shown(
            method=query.get("method", "*"),
            path=query.get("path", "*"),
            user_id=query.get("user_id"),
        )
    )


async def clear_ledger(request: Request) -> JSONResponse:
    """DELETE /_control/ledger."""
    project_of(request).ledger.clear()
    return JSONResponse({})


async def send_event(request: Request) -> JSONResponse:
    """POST /_control/events: the event of an account's present state, or of a given type."""
    project = project_of(request)
    command = await _read(request, SendEvent)
    account = project.connections.get(command.account_id)
    return JSONResponse({"webhook_id": project.announce(account, command.type)})


async def show_deliveries(request: Request) -> JSONResponse:
    """GET /_control/deliveries."""
    return JSONResponse(project_of(request).deliveries.shown())


async def redeliver(request: Request) -> JSONResponse:
    """POST /_control/deliveries/{webhook_id}: the same message once more."""
    webhook_id = segment(request, "webhook_id")
    if not project_of(request).deliveries.again(webhook_id):
        raise missing("Webhook", webhook_id)
    return JSONResponse({"webhook_id": webhook_id})


async def advance_clock(request: Request) -> JSONResponse:
    """POST /_control/clock: moves Composio's time, but not that of signatures."""
    project = project_of(request)
    project.ticker.advance((await _read(request, AdvanceClock)).advance_seconds)
    project.lapse()
    return JSONResponse({"now": iso(project.ticker.now())})


ROUTES = [
    Route("/state", show_state, methods=["GET"]),
    Route("/reset", reset, methods=["POST"]),
    Route("/api_keys", set_keys, methods=["PUT"]),
    Route("/webhook", set_webhook, methods=["PUT"]),
    Route("/switches", set_switches, methods=["PATCH"]),
    Route("/auth_configs", seed_auth_config, methods=["POST"]),
    Route("/auth_configs/{id}", change_auth_config, methods=["PATCH"]),
    Route("/servers", seed_server, methods=["POST"]),
    Route("/accounts", seed_accounts, methods=["POST"]),
    Route("/accounts/{id}", change_account, methods=["PATCH"]),
    Route("/instances", seed_instances, methods=["POST"]),
    Route("/faults", add_faults, methods=["POST"]),
    Route("/faults", list_faults, methods=["GET"]),
    Route("/faults", remove_faults, methods=["DELETE"]),
    Route("/faults/{id}", remove_faults, methods=["DELETE"]),
    Route("/ledger", show_ledger, methods=["GET"]),
    Route("/ledger", clear_ledger, methods=["DELETE"]),
    Route("/events", send_event, methods=["POST"]),
    Route("/deliveries", show_deliveries, methods=["GET"]),
    Route("/deliveries/{webhook_id}", redeliver, methods=["POST"]),
    Route("/clock", advance_clock, methods=["POST"]),
]


async def _read[T: Command](request: Request, command: type[T]) -> T:
    return command.read(await request.body())


def _account(project: Project, seed: SeedAccount) -> Account:
    at = project.ticker.tick()
    return Account(
        id=seed.id or project.ids("ca_"),
        user_id=seed.user_id,
        auth_config_id=seed.auth_config_id,
        status=seed.status,
        status_reason=seed.status_reason,
        is_disabled=seed.is_disabled,
        account_type=seed.account_type,
        created_at=seed.created_at or at,
        updated_at=seed.updated_at or seed.created_at or at,
    )


def _always_with_user(project: Project, account: Account) -> dict[str, object]:
    return {**project.shape(account), "user_id": account.user_id}
