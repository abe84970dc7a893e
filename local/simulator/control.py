"""Our own routes below `/_control` that steer and observe. Loopback only, no key."""

from dataclasses import asdict

from local.simulator import wire
from local.simulator.call import Call, Routes
from local.simulator.clock import iso
from local.simulator.commands import AdvanceClock, SetKeys, SetWebhook, changed_options
from local.simulator.faults import Fault
from local.simulator.refusal import missing

ROUTES = Routes()


@ROUTES.on("GET", "/state")
def show_state(call: Call) -> object:
    """Return the options, and everything in the project."""
    project = call.project
    connections, servers = project.connections, project.servers
    return {
        "now": iso(project.clock.now()),
        "options": project.options.model_dump(),
        "auth_configs": [wire.auth_config(each, 0) for each in connections.auth_configs.values()],
        "servers": [project.shape_server(each) for each in servers.by_id.values()],
        "accounts": [project.shape_account(each) for each in connections.accounts.values()],
        "instances": [
            wire.plain(each) for rows in servers.instances.values() for each in rows.values()
        ],
        "sessions": [
            {"session_id": each.id, "user_id": each.user_id}
            for each in project.sessions.by_id.values()
        ],
    }


@ROUTES.on("POST", "/reset")
def reset(call: Call) -> object:
    """Go back to what the command line asked for."""
    call.project.reset()
    return {}


@ROUTES.on("PUT", "/api_keys")
def set_keys(call: Call) -> object:
    """Make these the only valid keys."""
    call.project.api_keys = frozenset(call.read(SetKeys).keys)
    return {}


@ROUTES.on("PUT", "/webhook")
def set_webhook(call: Call) -> object:
    """Set a target and secrets that overrule the subscription's."""
    command = call.read(SetWebhook)
    call.project.webhook_target = command.target
    call.project.webhook_secrets = command.secrets
    return {}


@ROUTES.on("PATCH", "/options")
def set_options(call: Call) -> object:
    """Change the options that are given."""
    call.project.options = changed_options(call.project.options, call.body)
    return call.project.options.model_dump()


@ROUTES.on("POST", "/faults", status=201)
def add_fault(call: Call) -> object:
    """Add a fault."""
    call.project.faults.rules.append(call.read(Fault))
    return {}


@ROUTES.on("GET", "/faults")
def list_faults(call: Call) -> object:
    """List the faults in force; `times` counts down."""
    return {"faults": [fault.model_dump() for fault in call.project.faults.rules]}


@ROUTES.on("DELETE", "/faults")
def clear_faults(call: Call) -> object:
    """Remove all faults."""
    call.project.faults.rules.clear()
    return {}


@ROUTES.on("GET", "/ledger")
def show_ledger(call: Call) -> object:
    """List calls by the shell patterns `method` and `path` and the exact `user_id`."""
    return call.project.ledger.matching(
        method=call.query.get("method", "*"),
        path=call.query.get("path", "*"),
        user_id=call.query.get("user_id"),
    )


@ROUTES.on("DELETE", "/ledger")
def clear_ledger(call: Call) -> object:
    """Forget all calls."""
    call.project.ledger.entries.clear()
    return {}


@ROUTES.on("GET", "/deliveries")
def show_deliveries(call: Call) -> object:
    """List the delivery attempts, in the order in which they ended."""
    deliveries = call.project.deliveries
    return {
        "pending": deliveries.pending,
        "attempts": [asdict(each) for each in deliveries.attempts],
    }


@ROUTES.on("POST", "/deliveries/{webhook_id}")
def redeliver(call: Call) -> object:
    """Deliver the same message once more."""
    if not call.project.deliveries.send_again(call.path("webhook_id")):
        raise missing("Webhook", call.path("webhook_id"))
    return {}


@ROUTES.on("POST", "/clock")
def advance_clock(call: Call) -> object:
    """Move Composio's time forward, but not that of signatures."""
    call.project.clock.advance(call.read(AdvanceClock).advance_seconds)
    call.project.expire_links()
    return {"now": iso(call.project.clock.now())}
