"""The commands that repair: `retry`, `redrive`, `backfill`, `import`, `forget`."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from handler.fact_table import accounts_key
from handler.transport import Unavailable
from handler.user_table import INSTANCE
from handler.values import Server, Status
from provisioner import repairs, replay, scan
from provisioner.activity import waiting_messages
from provisioner.context import Context
from provisioner.errors import Trouble, explained
from provisioner.output import table
from provisioner.stack import Stack

POLL_SECONDS = 0.5

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


def retry(
    ctx: typer.Context,
    user_id: Annotated[
        str | None, typer.Argument(help="The user whose failed ones to try.")
    ] = None,
    *,
    all_failed: Annotated[bool, typer.Option("--all-failed", help="Those of all users.")] = False,
    server: Annotated[str | None, typer.Option(help="Only of this MCP server.")] = None,
) -> None:
    """Have failed instances tried again; only those in `failed` are touched.

    The worker does it. Ended midway, run it again: it goes on with those that are left.
    """
    context = Context.of(ctx)
    if all_failed == (user_id is not None):
        raise Trouble("say whose", "provisioner retry USER, or provisioner retry --all-failed")
    keys = [
        (one.user_id, one.server_id)
        for one in _theirs(context.stack, user_id)
        if server in {None, one.server_id} and (all_failed or one.status is Status.FAILED)
    ]
    if user_id and not keys:
        statuses = {one.server_id: one.status.value for one in _theirs(context.stack, user_id)}
        raise Trouble(
            f"no instance of {user_id} is failed: {statuses or 'there is none'}",
            "waiting: the user connects what is missing; retrying: it is tried by itself",
        )
    with context.screen.progress("retrying", len(keys)) as advance:
        number = repairs.retry(context.stack, keys, advance)
    context.screen.show({"retried": number}, f"{number} made due, and sent to the worker")


def redrive(ctx: typer.Context, *, dry_run: DryRun = False) -> None:
    """Send the messages of the dead-letter queue to the queue again."""
    context = Context.of(ctx)
    total = waiting_messages(context.stack, "DeadLetterQueueUrl")
    if dry_run:
        with context.screen.progress("looking", total) as advance:
            kinds = repairs.look(context.stack, advance)
        if kinds.total() < total:
            context.screen.say(f"looked at {kinds.total()} only, of about {total}")
        counts = table("number", "what it is")
        for name, number in kinds.most_common():
            counts.add_row(str(number), name)
        context.screen.show({"dead_letter_queue": dict(kinds)}, counts if kinds else "it is empty")
        return
    with context.screen.progress("redriving", total) as advance:
        number = repairs.redrive(context.stack, advance)
    context.screen.show({"redriven": number}, f"{number} sent to the queue again")


def backfill(
    ctx: typer.Context,
    server_id: Annotated[str, typer.Argument(metavar="SERVER", help="An enrolled MCP server.")],
    *,
    dry_run: DryRun = False,
) -> None:
    """Take the accounts of all users that matter to an MCP server, from Composio.

    The worker does it, also when this command is ended; where the MCP server has just changed,
    or a back-fill is under way, it begins within two minutes.
    """
    context = Context.of(ctx)
    server = _enrolled(context.stack, server_id)
    accounts: int | None
    if dry_run or not server.required:
        _, accounts = repairs.pages(context.stack, server)
        said = f"{accounts} active accounts to take" if server.required else "it requires nothing"
    else:
        repairs.begin_backfill(context.stack, server_id)
        accounts = _backfilled(context, server)
        said = "done" if accounts is None else f"{accounts} active accounts taken"
    context.screen.show(
        {"server_id": server_id, "accounts": accounts, "done": not dry_run},
        f"{server_id}: {said}",
    )


def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="EVENTS.JSONL", help="One envelope a line.")],
    *,
    dry_run: DryRun = False,
) -> None:
    """Take a file of events like the bus does; ended midway, it goes on where it was.

    Order and repetition do not matter: an older fact never replaces a newer one.
    """
    context = Context.of(ctx)
    total = replay.check(file)
    start = min(replay.started(file), total)
    if not dry_run:
        with context.screen.progress("importing", total) as advance:
            advance(start)
            replay.send(context.stack, file, start, advance)
        replay.place_of(file).unlink(missing_ok=True)
    context.screen.show(
        {"lines": total, "sent": 0 if dry_run else total - start, "skipped": start},
        f"events: {total}, sent before: {start}, sent now: {0 if dry_run else total - start}",
    )


def forget(
    ctx: typer.Context,
    user_id: Annotated[str, typer.Argument(help="Exactly as the application names the user.")],
    *,
    yes: Yes = False,
) -> None:
    """Erase what is stored here about a user. Nothing is deleted at Composio.

    Accounts that are still ACTIVE at Composio may be found again: disconnect them there first.
    """
    context = Context.of(ctx)
    facts, instances = context.stack.user_table.user(user_id)
    context.screen.say(f"stored here: accounts {len(facts.accounts)}, instances {len(instances)}")
    if facts.accounts or instances:
        context.confirm(f"Erase all that {context.stack.name} knows of {user_id}?", yes=yes)
    number = repairs.forget(context.stack, user_id)
    context.screen.show({"user_id": user_id, "erased": number}, f"rows erased: {number}")


def _theirs(stack: Stack, user_id: str | None) -> list[scan.Entry]:
    if user_id is None:
        return scan.entries(stack, [Status.FAILED])
    return [
        scan.of_row(row)
        for row in stack.table.partition(accounts_key(user_id)["pk"])
        if row["sk"].startswith(INSTANCE)
    ]


def _enrolled(stack: Stack, server_id: str) -> Server:
    servers = {one.id: one for one in stack.catalog.known().servers}
    if server_id not in servers:
        known = ", ".join(sorted(servers)) or "none is known yet"
        raise Trouble(f"{server_id} is not an enrolled MCP server", f"one of: {known}")
    return servers[server_id]


def _backfilled(context: Context, server: Server) -> int | None:
    """Show how far it is until it is done, and return the accounts, where they can be counted.

    Pages are counted where the worker pauses.
    """
    places, done = _places(context.stack, server.id), 0
    try:
        cursors, accounts = repairs.pages(context.stack, server)
    except Unavailable as error:
        context.screen.say(f"{explained(error)}: the back-fill goes on, without a bar")
        for _ in places:
            pass
        return None
    with context.screen.progress(f"back-filling {server.id}, pages", len(cursors)) as advance:
        for place in places:
            if place in cursors[done:]:
                advance(cursors.index(place) - done)
                done = cursors.index(place)
        advance(len(cursors) - done)
    return accounts


def _places(stack: Stack, server_id: str) -> Iterator[str]:
    """Yield where a back-fill is, again and again, until it is done."""
    while (place := repairs.backfill_place(stack, server_id)) is not None:
        yield place
        time.sleep(POLL_SECONDS)
