"""The commands that repair: `retry`, `backfill`, `forget`."""

import time
from collections.abc import Iterator
from typing import Annotated

import typer

from handler.fact_table import accounts_key
from handler.transport import Unavailable
from handler.user_table import INSTANCE
from handler.values import Status, Target
from provisioner import repairs, scan
from provisioner.context import Context
from provisioner.errors import Trouble, explained
from provisioner.options import DryRun, MaybeUserId, ServerOnly, UserId, Yes
from provisioner.stack import Stack

POLL_SECONDS = 0.5


def retry(
    ctx: typer.Context,
    user_id: MaybeUserId = None,
    *,
    all_failed: Annotated[bool, typer.Option("--all-failed", help="Those of all users.")] = False,
    server: ServerOnly = None,
) -> None:
    """Have failed instances tried again now; only those in `failed` are touched.

    The worker does it. Ended midway, run it again: it continues with those that are left.
    """
    context = Context.of(ctx)
    if all_failed == (user_id is not None):
        ctx.fail("Say whose: a user, or --all-failed.")
    entries = [
        entry for entry in _theirs(context.stack, user_id) if server in {None, entry.server_id}
    ]
    keys = [(one.user_id, one.server_id) for one in entries if one.status is Status.FAILED]
    if user_id and not keys:
        statuses = [f"{entry.server_id} is {entry.status}" for entry in entries]
        raise Trouble(
            f"no instance of {user_id} is failed: {', '.join(statuses) or 'there is none'}",
            "waiting: the user connects what is missing; retrying: it is tried by itself",
        )
    with context.screen.progress("retrying", len(keys)) as advance:
        number = repairs.retry(context.stack, keys, advance)
    context.screen.show({"retried": number}, f"{number} made due, and sent to the worker")


def backfill(
    ctx: typer.Context,
    server_id: Annotated[str, typer.Argument(metavar="SERVER", help="An enrolled MCP server.")],
    *,
    dry_run: DryRun = False,
) -> None:
    """Read the accounts of all users that matter to an MCP server, from Composio.

    The worker does it, also after this command has ended. If the MCP server has just changed, or
    a back-fill is under way, it begins within two minutes.
    """
    context = Context.of(ctx)
    server = _enrolled(context.stack, server_id)
    accounts: int | None
    if dry_run or not server.required:
        _, accounts = repairs.pages(context.stack, server)
        said = f"{accounts} active accounts to read" if server.required else "it requires nothing"
    else:
        repairs.begin_backfill(context.stack, server_id)
        accounts = _backfilled(context, server)
        said = "done" if accounts is None else f"{accounts} active accounts read"
    context.screen.show(
        {"server_id": server_id, "accounts": accounts, "done": not dry_run},
        f"{server_id}: {said}",
    )


def forget(
    ctx: typer.Context,
    user_id: UserId,
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


def _enrolled(stack: Stack, server_id: str) -> Target:
    servers = {one.id: one for one in stack.catalog.known().servers}
    if server_id not in servers:
        known = ", ".join(sorted(servers)) or "none is known yet"
        raise Trouble(f"{server_id} is not an enrolled MCP server", f"one of: {known}")
    return servers[server_id]


def _backfilled(context: Context, server: Target) -> int | None:
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
