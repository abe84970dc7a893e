"""The endpoints of the webhook subscription."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.simulator import events, wire
from local.simulator.bodies import SubscriptionBody, SubscriptionPatch
from local.simulator.pages import cursor_page, whole
from local.simulator.requests import project_of, segment


async def list_subscriptions(request: Request) -> JSONResponse:
    """GET /webhook_subscriptions: none or one."""
    current = project_of(request).subscriptions.current
    query = request.query_params
    limit = whole(query.get("limit"), "limit", 50, 50)
    rows = [] if current is None else [current]
    return JSONResponse(
        cursor_page(rows, limit=limit, cursor=query.get("cursor"), render=wire.subscription)
    )


async def create_subscription(request: Request) -> JSONResponse:
    """POST /webhook_subscriptions."""
    project = project_of(request)
    body = SubscriptionBody.read(await request.body())
    created = project.subscriptions.create(
        body.webhook_url,
        body.enabled_events,
        body.version,
        synthetic=project.switches.synthetic_events,
    )
    return JSONResponse(wire.subscription(created), 201)


async def get_subscription(request: Request) -> JSONResponse:
    """GET /webhook_subscriptions/{id}."""
    found = project_of(request).subscriptions.get(segment(request, "id"))
    return JSONResponse(wire.subscription(found))


async def change_subscription(request: Request) -> JSONResponse:
    """PATCH /webhook_subscriptions/{id}."""
    project = project_of(request)
    body = SubscriptionPatch.read(await request.body())
    changed = project.subscriptions.change(
        segment(request, "id"), body.changes(), synthetic=project.switches.synthetic_events
    )
    return JSONResponse(wire.subscription(changed))


async def delete_subscription(request: Request) -> JSONResponse:
    """DELETE /webhook_subscriptions/{id}."""
    project_of(request).subscriptions.delete(segment(request, "id"))
    return JSONResponse({"success": True})


async def rotate_secret(request: Request) -> JSONResponse:
    """POST /webhook_subscriptions/{id}/rotate_secret: without overlap."""
    rotated = project_of(request).subscriptions.rotate(segment(request, "id"))
    return JSONResponse({"id": rotated.id, "secret": rotated.secret})


async def list_event_types(request: Request) -> JSONResponse:
    """GET /webhook_subscriptions/event_types: the real three; synthetic ones if switched on."""
    known = events.known(synthetic=project_of(request).switches.synthetic_events)
    return JSONResponse(
        {
            "items": [
                {"event_type": name, "description": text, "supported_versions": list(versions)}
                for name, (text, versions) in known.items()
            ]
        }
    )


ROUTES = [
    Route("/webhook_subscriptions", list_subscriptions, methods=["GET"]),
    Route("/webhook_subscriptions", create_subscription, methods=["POST"]),
    Route("/webhook_subscriptions/event_types", list_event_types, methods=["GET"]),
    Route("/webhook_subscriptions/{id}", get_subscription, methods=["GET"]),
    Route("/webhook_subscriptions/{id}", change_subscription, methods=["PATCH"]),
    Route("/webhook_subscriptions/{id}", delete_subscription, methods=["DELETE"]),
    Route("/webhook_subscriptions/{id}/rotate_secret", rotate_secret, methods=["POST"]),
]
