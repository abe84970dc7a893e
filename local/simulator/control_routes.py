"""Our own verbs below `/_control` that steer, break and observe. Loopback only, no key."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.simulator import wire
from local.simulator.commands import (
    AdvanceClock,
    SendEvent,
    SetKeys,
    SetWebhook,
    read_switches,
)
from local.simulator.faults import Fault
from local.simulator.moment import iso
from local.simulator.refusal import missing
from local.simulator.requests import project_of, segment


async def show_state(request: Request) -> JSONResponse:
    """GET /_control/state: the settings, and all that is there."""
    project = project_of(request)
    connections, servers = project.connections, project.servers
    return JSONResponse(
        {
            "now": iso(project.ticker.now()),
            "switches": project.switches.model_dump(),
            "api_keys": len(project.api_keys),
            "webhook": {"target": project.webhook_target, "secrets": len(project.webhook_secrets)},
            "auth_configs": [
                wire.auth_config(each, 0) for each in connections.auth_configs.values()
            ],
            "servers": [project.shape_server(each) for each in servers.by_id.values()],
            "accounts": [project.shape_for_control(each) for each in connections.accounts.values()],
            "instances": [
                wire.instance(each) for rows in servers.instances.values() for each in rows.values()
            ],
        }
    )


async def reset(request: Request) -> JSONResponse:
    """POST /_control/reset: back to what the command line said."""
    project_of(request).reset()
    return JSONResponse({})


async def set_keys(request: Request) -> JSONResponse:
    """PUT /_control/api_keys: the valid keys from now on."""
    command = SetKeys.read(await request.body())
    project_of(request).api_keys = frozenset(command.keys)
    return JSONResponse({"api_keys": len(command.keys)})


async def set_webhook(request: Request) -> JSONResponse:
    """PUT /_control/webhook: a target and secrets that overrule the subscription's."""
    project = project_of(request)
    command = SetWebhook.read(await request.body())
    project.webhook_target = command.target
    project.webhook_secrets = command.secrets
    return JSONResponse({"target": command.target, "secrets": len(command.secrets)})


async def set_switches(request: Request) -> JSONResponse:
    """PATCH /_control/switches: what is given changes, the rest stays."""
    project = project_of(request)
    project.switches = read_switches(project.switches, await request.body())
    return JSONResponse(project.switches.model_dump())


async def add_fault(request: Request) -> JSONResponse:
    """POST /_control/faults."""
    faults = project_of(request).faults
    faults.add(Fault.read(await request.body()))
    return JSONResponse({"faults": faults.listed()}, 201)


async def list_faults(request: Request) -> JSONResponse:
    """GET /_control/faults."""
    return JSONResponse({"faults": project_of(request).faults.listed()})


async def clear_faults(request: Request) -> JSONResponse:
    """DELETE /_control/faults."""
    project_of(request).faults.clear()
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
    """POST /_control/events: the event of an account's present state."""
    project = project_of(request)
    command = SendEvent.read(await request.body())
    account = project.connections.get(command.account_id)
    return JSONResponse({"webhook_id": project.announce(account)})


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
    project.ticker.advance((AdvanceClock.read(await request.body())).advance_seconds)
    project.lapse()
    return JSONResponse({"now": iso(project.ticker.now())})


ROUTES = [
    Route("/state", show_state, methods=["GET"]),
    Route("/reset", reset, methods=["POST"]),
    Route("/api_keys", set_keys, methods=["PUT"]),
    Route("/webhook", set_webhook, methods=["PUT"]),
    Route("/switches", set_switches, methods=["PATCH"]),
    Route("/faults", add_fault, methods=["POST"]),
    Route("/faults", list_faults, methods=["GET"]),
    Route("/faults", clear_faults, methods=["DELETE"]),
    Route("/ledger", show_ledger, methods=["GET"]),
    Route("/ledger", clear_ledger, methods=["DELETE"]),
    Route("/events", send_event, methods=["POST"]),
    Route("/deliveries", show_deliveries, methods=["GET"]),
    Route("/deliveries/{webhook_id}", redeliver, methods=["POST"]),
    Route("/clock", advance_clock, methods=["POST"]),
]
