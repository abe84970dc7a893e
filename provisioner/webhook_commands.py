"""The commands about Composio's webhook: `connect-webhook`, `rotate-webhook-secret`, `send`."""

import json
import time
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
import typer

from handler.credentials import LEAST_AGE_SECONDS, LEAST_LENGTH, flaw
from handler.events import ACCOUNT_EVENTS, timestamp
from handler.signature import sign
from handler.transport import Unavailable, segment
from provisioner import secret, subscription
from provisioner.context import Context
from provisioner.errors import Trouble
from provisioner.options import Yes
from provisioner.stack import CALL_SECONDS, Stack, soon

DOCTOR = "provisioner doctor"
KNOWN_SECONDS = LEAST_AGE_SECONDS + 2
"""After so long the functions know a new secret, once they have turned one away."""
PING = "composio.trigger.message"
"""A genuine event that concerns no account: it is ignored, and changes nothing."""


def connect_webhook(ctx: typer.Context, *, yes: Yes = False) -> None:
    """Subscribe the stack to Composio's account events, and accept its webhook secret.

    Composio has one subscription for each project: one that goes elsewhere is replaced only after
    confirmation. You can run this again at any time: it changes only what is not right.
    """
    context = Context.of(ctx)
    url, kept = context.stack.webhook_url, secret.read(context.stack)
    events = subscription.offered(context.stack.transport)
    found = subscription.current(context.stack.transport)
    changes = subscription.lacking(found, url, events)
    if found and "webhook_url" in changes:
        context.confirm(f"The subscription goes to {found.webhook_url}. Take it over?", yes=yes)
    if changes:
        found = _changed(context, found, url, events)
    if found is None or not found.secret:
        raise Trouble(
            "Composio does not show the webhook secret of the subscription",
            "provisioner rotate-webhook-secret draws a new one",
        )
    if why := flaw(found.secret, LEAST_LENGTH):
        raise Trouble(f"Composio's webhook secret {why}", "provisioner rotate-webhook-secret")
    added = found.secret not in kept.webhook_secrets
    for removed in kept.flaws:
        context.screen.say(f"taken out of the secret: {removed}")
    if added or kept.flaws:
        secret.write(context.stack, kept.accepting([found.secret, *kept.webhook_secrets]))
    _tell(context, found, sorted(changes), added=added)


def rotate_webhook_secret(
    ctx: typer.Context,
    *,
    end: Annotated[
        bool,
        typer.Option(
            "--end", help="End the overlap: accept only Composio's current webhook secret."
        ),
    ] = False,
    yes: Yes = False,
) -> None:
    """Have Composio create a new webhook secret, and accept it beside the old ones.

    What was signed with the old secret stays valid. Later, use --end to stop accepting it.
    """
    context = Context.of(ctx)
    transport = context.stack.transport
    kept, found = secret.read(context.stack), subscription.current(transport)
    if found is None or found.webhook_url != context.stack.webhook_url:
        raise Trouble("Composio's subscription does not come here", "provisioner connect-webhook")
    if end:
        _end_overlap(context, kept, found, yes=yes)
        return
    context.confirm("Composio signs with a new secret from then on. Rotate?", yes=yes)
    # Without the permission to write it, this fails while Composio signs with the old one.
    secret.write(context.stack, kept)
    new = subscription.rotate(transport, found)
    secret.write(context.stack, kept.accepting([new, *kept.webhook_secrets]))
    number = len(kept.webhook_secrets)
    context.screen.show(
        {"subscription": found.id, "accepted": number + 1},
        f"{found.id} signs with a new secret; {number} older stay accepted",
        "when nothing old is on its way any more: provisioner rotate-webhook-secret --end",
    )


def send(
    ctx: typer.Context,
    *,
    account: Annotated[
        str | None, typer.Option(help="Make the event about this connected account.")
    ] = None,
) -> None:
    """Send a signed test event to the webhook, as Composio would.

    Without --account the event concerns nobody and changes nothing: it shows that the API can be
    reached and that the signature is accepted. With --account the account is read and handled.
    """
    context = Context.of(ctx)
    kept = secret.read(context.stack)
    if not kept.webhook_secrets:
        raise Trouble("there is no webhook secret to sign with", "provisioner connect-webhook")
    body = json.dumps(_event(context.stack, account)).encode()
    for _ in range(KNOWN_SECONDS):
        began = time.monotonic()
        answer = _posted(context.stack.webhook_url, body, kept.webhook_secrets[0])
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            break
        context.screen.say("not accepted yet: the functions look for a new secret every 10 s")
        time.sleep(1)
    took = round((time.monotonic() - began) * 1000)
    if answer.status_code != httpx.codes.OK:
        raise Trouble(f"the webhook answers {answer.status_code}: {answer.text}", DOCTOR)
    said = answer.json()
    context.screen.show(
        {"status": answer.status_code, "milliseconds": took, "answer": said},
        f"{answer.status_code} in {took} ms: {json.dumps(said)}",
    )


def _tell(
    context: Context, found: subscription.Subscription, changed: list[str], *, added: bool
) -> None:
    told = {
        "subscription": found.id,
        "webhook_url": found.webhook_url,
        "enabled_events": sorted(found.enabled_events),
        "changed": changed,
        "secret_added": added,
    }
    context.screen.show(
        told,
        f"{found.id} goes to {found.webhook_url}",
        f"events: {', '.join(sorted(found.enabled_events))}",
        f"changed: {', '.join(changed) or 'nothing'}",
        "its webhook secret is accepted" + (" from now on, beside the others" if added else ""),
    )


def _changed(
    context: Context, found: subscription.Subscription | None, url: str, events: list[str]
) -> subscription.Subscription:
    """Set the subscription, even if somebody has created one since it was read (409)."""
    changes, transport = subscription.lacking(found, url, events), context.stack.transport
    try:
        return subscription.change(transport, found, changes)
    except Unavailable as refused:
        if refused.problem.status != httpx.codes.CONFLICT:
            raise
    found = subscription.current(transport)
    if found is None or found.webhook_url != url:
        raise Trouble("somebody has just made a subscription", "run it again, to take it over")
    changes = subscription.lacking(found, url, events)
    return subscription.change(transport, found, changes) if changes else found


def _end_overlap(
    context: Context, kept: secret.Secret, found: subscription.Subscription, *, yes: bool
) -> None:
    if not found.secret or found.secret not in kept.webhook_secrets:
        raise Trouble("Composio's webhook secret is not accepted", "provisioner connect-webhook")
    old = [one for one in kept.webhook_secrets if one != found.secret]
    if old:
        context.confirm(
            f"{len(old)} other secrets are accepted, perhaps your own backend's. Forget them?",
            yes=yes,
        )
        secret.write(context.stack, kept.accepting([found.secret]))
    context.screen.show({"forgotten": len(old), "accepted": 1}, f"{len(old)} old secrets forgotten")


def _event(stack: Stack, account_id: str | None) -> dict[str, Any]:
    kind, data = PING, dict[str, Any]()
    if account_id:
        path = f"/api/v3/connected_accounts/{segment(account_id)}"
        data = stack.transport.get(path, soon())
        kind = ACCOUNT_EVENTS + str(data.get("status")).lower()
    return {
        "id": f"msg_{uuid.uuid4()}",
        "timestamp": timestamp(datetime.now(UTC)),
        "type": kind,
        "metadata": {},
        "data": data,
    }


def _posted(url: str, body: bytes, key: str) -> httpx.Response:
    webhook_id, stamp = f"msg_{uuid.uuid4()}", str(int(time.time()))
    headers = {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": stamp,
        "webhook-signature": sign(webhook_id, stamp, body, key=key.encode()),
    }
    try:
        return httpx.post(url, content=body, headers=headers, timeout=CALL_SECONDS)
    except httpx.HTTPError as error:
        raise Trouble(f"{url} does not answer: {type(error).__name__}", DOCTOR) from None
