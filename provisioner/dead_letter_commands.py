"""The commands about the dead-letter queue: `dead-letters show`, `drop` and `redrive`."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from rich.table import Table

from provisioner import dead_letters as letters
from provisioner.activity import waiting_messages
from provisioner.context import Context
from provisioner.dead_letters import DeadLetter
from provisioner.options import Limit, Yes
from provisioner.output import table, when

dead_letters = typer.Typer(help="Show, drop or redrive the messages that failed 24 times.")

Ids = Annotated[
    list[str] | None, typer.Option("--id", help="Only the message with this ID. Can be repeated.")
]
Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help="Only messages of this kind. Can be repeated.")
]

type Wanted = Callable[[DeadLetter], bool]


@dead_letters.command()
def show(
    ctx: typer.Context,
    *,
    ids: Ids = None,
    kinds: Kinds = None,
    body: Annotated[
        bool, typer.Option("--body", help="Also show their content, which names users.")
    ] = False,
    limit: Limit = 50,
) -> None:
    """Show the messages. They are hidden from other readers while this runs."""
    context = Context.of(ctx)
    found: list[DeadLetter] = []

    def note(some: Sequence[DeadLetter]) -> int:
        found.extend(some)
        return len(some)

    _each(context, "reading", _chosen(ids, kinds), note)
    shown = sorted(found, key=lambda one: (one.sent_at, one.id))[: limit or None]
    counts = Counter(letter.kind for letter in found)
    value = {
        "total": len(found),
        "kinds": dict(counts.most_common()),
        "messages": [
            {"id": one.id, "kind": one.kind, "sent_at": one.sent_at // 1000}
            | ({"body": one.body} if body else {})
            for one in shown
        ],
    }
    if not found:
        context.screen.show(value, "there are none")
        return
    summary = table("number", "what it is")
    for name, number in counts.most_common():
        summary.add_row(str(number), name)
    context.screen.show(value, summary, _listed(shown, body=body))


@dead_letters.command()
def redrive(ctx: typer.Context, *, ids: Ids = None, kinds: Kinds = None) -> None:
    """Send messages to the queue again: the chosen ones, or all that the worker understands."""
    context = Context.of(ctx)
    left = Counter[str]()
    chosen = _chosen(ids, kinds)

    def wanted(letter: DeadLetter) -> bool:
        if ids or kinds or letter.understood:
            return chosen(letter)
        left[letter.kind] += 1
        return False

    number = _each(context, "redriving", wanted, lambda some: letters.redrive(context.stack, some))
    context.screen.show(
        {"redriven": number, "left": dict(left)}, f"{number} sent to the queue again"
    )
    for name, count in left.items():
        context.screen.say(f"{count} left there, as nothing can be done with what is {name}:")
        context.screen.say(f"→ provisioner dead-letters drop --kind '{name}'")


@dead_letters.command()
def drop(
    ctx: typer.Context,
    *,
    ids: Ids = None,
    kinds: Kinds = None,
    everything: Annotated[bool, typer.Option("--all", help="Drop every message.")] = False,
    yes: Yes = False,
) -> None:
    """Delete messages for good: the chosen ones, or --all."""
    context = Context.of(ctx)
    if bool(ids or kinds) == everything:
        ctx.fail("Say which: --id, --kind, or --all.")
    stack = context.stack
    context.confirm(f"Delete them from the dead-letter queue of {stack.name} for good?", yes=yes)
    number = _each(
        context, "deleting", _chosen(ids, kinds), lambda some: letters.delete(stack, some)
    )
    context.screen.show({"dropped": number}, f"{number} deleted")


def _chosen(ids: list[str] | None, kinds: list[str] | None) -> Wanted:
    return lambda letter: (
        not (ids or kinds) or letter.id in (ids or ()) or letter.kind in (kinds or ())
    )


def _each(
    context: Context, doing: str, wanted: Wanted, act: Callable[[Sequence[DeadLetter]], int]
) -> int:
    """Act on the messages that are wanted, and return how many `act` returned in all."""
    total, read, number = waiting_messages(context.stack, "DeadLetterQueueUrl"), 0, 0
    with (
        context.screen.progress(doing, total) as advance,
        letters.received(context.stack) as batches,
    ):
        for batch in batches:
            number += act([letter for letter in batch if wanted(letter)])
            read += len(batch)
            advance(len(batch))
    if read < total:
        context.screen.say(f"read {read} only, of about {total}")
    return number


def _listed(shown: Sequence[DeadLetter], *, body: bool) -> Table:
    listed = table("id", "what it is", "sent, UTC", *(["body"] if body else []))
    for one in shown:
        listed.add_row(one.id, one.kind, when(one.sent_at // 1000), *([one.body] if body else []))
    return listed
