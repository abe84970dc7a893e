"""Our own routes below `/_control` that steer and observe. Loopback only, no key."""

from dataclasses import asdict
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from local.simulator import wire
from local.simulator.bodies import Command, Text, problems
from local.simulator.call import Call, Routes
from local.simulator.faults import Fault
from local.simulator.options import Options
from local.simulator.refusal import invalid, missing
from local.simulator.subscriptions import deliverable

ROUTES = Routes()
_OBJECT = TypeAdapter(dict[str, object])


class _SetKeys(Command):
    keys: list[Text]


class _SetWebhook(Command):
    """Without secrets the subscription's one signs."""

    target: str | None = None
    secrets: tuple[Text, ...] = ()

    @field_validator("target")
    @classmethod
    def _deliverable(cls, target: str | None) -> str | None:
        if target is not None and not deliverable(target):
            raise ValueError("must be https, or http on loopback")
        return target


class _AdvanceClock(Command):
    advance_seconds: Annotated[float, Field(ge=0)]


@ROUTES.on("GET", "/state")
def _show_state(call: Call) -> object:
    """Return everything in the project."""
    project = call.project
    connections, servers = project.connections, project.servers
    return {
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
def _reset(call: Call) -> object:
    call.project.reset()
    return {}


@ROUTES.on("PUT", "/api_keys")
def _set_keys(call: Call) -> object:
    call.project.api_keys = frozenset(call.read(_SetKeys).keys)
    return {}


@ROUTES.on("PUT", "/webhook")
def _set_webhook(call: Call) -> object:
    """Set a target and secrets that overrule the subscription's."""
    command = call.read(_SetWebhook)
    call.project.webhook_target = command.target
    call.project.webhook_secrets = command.secrets
    return {}


@ROUTES.on("PATCH", "/options")
def _set_options(call: Call) -> object:
    """Change the options that are given, and return all."""
    try:
        changes = _OBJECT.validate_json(call.body)
        call.project.options = Options.model_validate(call.project.options.model_dump() | changes)
    except ValidationError as error:
        raise invalid("Invalid options", *problems(error)) from error
    return call.project.options.model_dump()


@ROUTES.on("POST", "/faults", status=201)
def _add_fault(call: Call) -> object:
    call.project.faults.rules.append(call.read(Fault))
    return {}


@ROUTES.on("DELETE", "/faults")
def _clear_faults(call: Call) -> object:
    call.project.faults.rules.clear()
    return {}


@ROUTES.on("GET", "/ledger")
def _show_ledger(call: Call) -> object:
    """List calls by the shell patterns `method` and `path` and the exact `user_id`."""
    return call.project.ledger.matching(
        method=call.query.get("method", "*"),
        path=call.query.get("path", "*"),
        user_id=call.query.get("user_id"),
    )


@ROUTES.on("DELETE", "/ledger")
def _clear_ledger(call: Call) -> object:
    call.project.ledger.entries.clear()
    return {}


@ROUTES.on("GET", "/deliveries")
def _show_deliveries(call: Call) -> object:
    """List the delivery attempts, in the order in which they ended."""
    deliveries = call.project.deliveries
    return {
        "pending": deliveries.pending,
        "attempts": [asdict(each) for each in deliveries.attempts],
    }


@ROUTES.on("POST", "/deliveries/{webhook_id}")
def _redeliver(call: Call) -> object:
    """Deliver the same message once more."""
    if not call.project.deliveries.send_again(call.path("webhook_id")):
        raise missing("Webhook", call.path("webhook_id"))
    return {}


@ROUTES.on("POST", "/clock")
def _advance_clock(call: Call) -> object:
    """Move Composio's time forward, but not that of signatures."""
    call.project.clock.advance(call.read(_AdvanceClock).advance_seconds)
    call.project.expire_links()
    return {}
