"""The endpoints of the webhook subscription."""

from local.simulator import wire
from local.simulator.bodies import SubscriptionBody, SubscriptionPatch
from local.simulator.call import Call, Routes
from local.simulator.pages import cursor_page

ROUTES = Routes()


@ROUTES.on("GET", "/webhook_subscriptions")
def list_subscriptions(call: Call) -> object:
    """None or one."""
    current = call.project.subscriptions.current
    rows = [] if current is None else [current]
    limit = call.number("limit", 50, 50)
    return cursor_page(rows, limit=limit, cursor=call.query.get("cursor"), render=wire.plain)


@ROUTES.on("POST", "/webhook_subscriptions", status=201)
def create_subscription(call: Call) -> object:
    """Make the subscription."""
    body = call.read(SubscriptionBody)
    return wire.plain(
        call.project.subscriptions.create(body.webhook_url, body.enabled_events, body.version)
    )


@ROUTES.on("GET", "/webhook_subscriptions/event_types")
def list_event_types(call: Call) -> object:
    """List what can be subscribed to."""
    return {
        "items": [
            {"event_type": name, "description": text, "supported_versions": versions}
            for name, (text, versions) in call.project.event_types().items()
        ]
    }


@ROUTES.on("GET", "/webhook_subscriptions/{id}")
def get_subscription(call: Call) -> object:
    """Return the subscription."""
    return wire.plain(call.project.subscriptions.get(call.path("id")))


@ROUTES.on("PATCH", "/webhook_subscriptions/{id}")
def change_subscription(call: Call) -> object:
    """Change what is given."""
    changes = call.read(SubscriptionPatch).changes()
    return wire.plain(call.project.subscriptions.change(call.path("id"), changes))


@ROUTES.on("DELETE", "/webhook_subscriptions/{id}")
def delete_subscription(call: Call) -> object:
    """Delete the subscription."""
    call.project.subscriptions.delete(call.path("id"))
    return {"success": True}


@ROUTES.on("POST", "/webhook_subscriptions/{id}/rotate_secret")
def rotate_secret(call: Call) -> object:
    """Draw a new secret, without overlap."""
    rotated = call.project.subscriptions.rotate(call.path("id"))
    return {"id": rotated.id, "secret": rotated.secret}
