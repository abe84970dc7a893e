"""The command `import`."""

from typing import Annotated

import typer

from provisioner import event_file, messages
from provisioner.context import Context
from provisioner.errors import Trouble
from provisioner.event_file import EventFile
from provisioner.options import DryRun


def import_(
    ctx: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="File with one event on each line; - reads standard input."
        ),
    ],
    *,
    dry_run: DryRun = False,
) -> None:
    """Send a file of events to the queue, as the event bus does.

    If it is interrupted, run it again: it continues where it stopped. Order and repetition do not
    matter: an older fact never replaces a newer one.
    """
    context = Context.of(ctx)
    with event_file.opened(file) as events:
        total = events.check()
        skipped = events.accepted(context.stack.outputs["QueueUrl"])
        sent = 0 if dry_run else _send(context, events, skipped, total)
    context.screen.show(
        {"events": total, "skipped": skipped, "sent": sent},
        f"events: {total}, sent before: {skipped}, sent now: {sent}",
    )


def _send(context: Context, file: EventFile, skipped: int, total: int) -> int:
    queue, sent, kept = context.stack.outputs["QueueUrl"], 0, True
    with context.screen.progress("importing", total) as advance:
        advance(skipped)
        for batch in messages.batches(file.events(queue, skipped)):
            accepted = messages.send(context.stack, batch)
            if len(accepted) < len(batch):
                raise Trouble("the queue did not take everything", "run it again: it continues")
            sent += len(accepted)
            if kept and not (kept := file.keep(accepted[-1])):
                context.screen.say(f"{file.place} cannot be written: if this is ended midway,")
                context.screen.say("it begins anew, which is harmless")
            advance(len(accepted))
    file.done()
    return sent
