"""The endpoints of the webhook subscription."""

from typing import Annotated, Literal

from pydantic import Field

from local.simulator import wire
from local.simulator.bodies import Body, Text
from local.simulator.call import Call, Routes

ROUTES = Routes()

type _Texts = Annotated[tuple[Text, ...], Field(min_length=1)]
type _Version = Literal["V1", "V2", "V3"]


class _SubscriptionBody(Body):
    webhook_url: Text
    enabled_events: _Texts
    version: _Version = "V3"


class _SubscriptionPatch(Body):
    webhook_url: Text | None = None
    enabled_events: _Texts | None = None
    version: _Version | None = None


@ROUTES.on("GET", "/webhook_subscriptions")
def _list_subscriptions(call: Call) -> object:
    current = call.project.subscriptions.current
    rows = [] if current is None else [current]
    return call.cursor_page(rows, wire.plain, default=50, most=50)


@ROUTES.on("POST", "/webhook_subscriptions", status=201)
def _create_subscription(call: Call) -> object:
    body = call.read(_SubscriptionBody)
    return wire.plain(
        call.project.subscriptions.create(body.webhook_url, body.enabled_events, body.version)
    )


@ROUTES.on("GET", "/webhook_subscriptions/event_types")
def _list_event_types(call: Call) -> object:
    return {
        "items": [
            {"event_type": name, "description": text, "supported_versions": versions}
            for name, (text, versions) in call.project.event_types().items()
        ]
    }


@ROUTES.on("GET", "/webhook_subscriptions/{id}")
def _get_subscription(call: Call) -> object:
    return wire.plain(call.project.subscriptions.get(call.path()))


@ROUTES.on("PATCH", "/webhook_subscriptions/{id}")
def _change_subscription(call: Call) -> object:
    changes = call.read(_SubscriptionPatch).changes()
    return wire.plain(call.project.subscriptions.change(call.path(), changes))


@ROUTES.on("DELETE", "/webhook_subscriptions/{id}")
def _delete_subscription(call: Call) -> object:
    call.project.subscriptions.delete(call.path())
    return {"success": True}


@ROUTES.on("POST", "/webhook_subscriptions/{id}/rotate_secret")
def _rotate_secret(call: Call) -> object:
    rotated = call.project.subscriptions.rotate(call.path())
    return {"id": rotated.id, "secret": rotated.secret}
