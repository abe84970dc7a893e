"""The command `events`: follows the outcomes on the event bus."""

from typing import Annotated, Any

import typer

from provisioner import bus
from provisioner.context import Context

_LONGEST_POLL = 20


def events(
    ctx: typer.Context,
    *,
    times: Annotated[int | None, typer.Option(min=1, help="Stop after this many events.")] = None,
) -> None:
    """Show the outcomes announced on the event bus, until Ctrl-C."""
    context = Context.of(ctx)
    stack, screen, shown = context.stack, context.screen, 0
    for name in bus.remove_leftovers(stack):
        screen.say(f"removed what an earlier run has left: {name}")
    with bus.listening(stack) as (name, receive):
        screen.say(f"listening to {stack.outputs['BusName']} through {name}; Ctrl-C ends it")
        while times is None or shown < times:
            for event in receive(_LONGEST_POLL)[: times and times - shown]:
                screen.show(event, outcome(event))
                shown += 1


def outcome(event: dict[str, Any]) -> str:
    """Return an outcome as one line."""
    detail = event["detail"]
    at = str(event["time"]).replace("T", " ").removesuffix("Z")
    target = detail.get("server_id") or detail.get("profile")
    whose = map(str, (detail.get("status"), detail.get("user_id"), target))
    url = (detail.get("endpoint") or {}).get("url")
    return "  ".join([at, *whose, url or str((detail.get("error") or {}).get("message"))])
