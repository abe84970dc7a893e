"""The commands that repair: `retry`, `backfill`, `forget`."""

import time
from collections.abc import Iterator
from typing import Annotated

import typer

from handler.account_table import accounts_key
from handler.target_table import TARGETS
from handler.targets import Status, Target, TargetId
from handler.transport import Unavailable
from provisioner import repairs, scan
from provisioner.context import Context
from provisioner.errors import Trouble, explained
from provisioner.options import DryRun, MaybeUserId, TargetOnly, UserId, Yes
from provisioner.stack import Stack

POLL_SECONDS = 0.5


def retry(
    ctx: typer.Context,
    user_id: MaybeUserId = None,
    *,
    all_failed: Annotated[
        bool, typer.Option("--all-failed", help="Retry the failed targets of all users.")
    ] = False,
    target: TargetOnly = None,
) -> None:
    """Retry failed targets now; targets in any other status are left alone.

    The worker makes the calls. If this is interrupted, run it again: it continues with the targets
    that are left.
    """
    context = Context.of(ctx)
    if all_failed == (user_id is not None):
        ctx.fail("Say whose: a user, or --all-failed.")
    entries = [
        entry for entry in _theirs(context.stack, user_id) if target in {None, entry.target.name}
    ]
    keys = [(one.user_id, one.target) for one in entries if one.status is Status.FAILED]
    if user_id and not keys:
        statuses = [f"{entry.target.name} is {entry.status}" for entry in entries]
        raise Trouble(
            f"no target of {user_id} is failed: {', '.join(statuses) or 'there is none'}",
            "waiting: the user connects what is missing; retrying: it is tried by itself",
        )
    with context.screen.progress("retrying", len(keys)) as advance:
        number = repairs.retry(context.stack, keys, advance)
    context.screen.show({"retried": number}, f"{number} made due, and sent to the worker")


def backfill(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="ID of an enrolled MCP server, or name of a session profile."
        ),
    ],
    *,
    dry_run: DryRun = False,
) -> None:
    """Read from Composio the accounts of all users that a target requires.

    The worker reads them, even after this command has ended. If the target has just changed, or a
    back-fill is under way, it begins within two minutes.
    """
    context = Context.of(ctx)
    target = _enrolled(context.stack, name)
    accounts: int | None
    if dry_run or not target.required:
        _, accounts = repairs.pages(context.stack, target)
        said = f"{accounts} active accounts to read" if target.required else "it requires nothing"
    else:
        repairs.begin_backfill(context.stack, target.key)
        accounts = _backfilled(context, target)
        said = "done" if accounts is None else f"{accounts} active accounts read"
    context.screen.show(
        {**target.key.told, "accounts": accounts, "done": not dry_run},
        f"{name}: {said}",
    )


def forget(ctx: typer.Context, user_id: UserId, *, yes: Yes = False) -> None:
    """Erase what the stack stores about a user. Deletes nothing at Composio.

    Accounts that are still ACTIVE at Composio may be found again: disconnect them there first.
    """
    context = Context.of(ctx)
    facts, rows = context.stack.services.target_table.user(user_id)
    context.screen.say(f"stored here: accounts {len(facts.accounts)}, targets {len(rows)}")
    if facts.accounts or rows:
        context.confirm(f"Erase all that {context.stack.name} knows of {user_id}?", yes=yes)
    number = repairs.forget(context.stack, user_id)
    context.screen.show({"user_id": user_id, "erased": number}, f"rows erased: {number}")


def _theirs(stack: Stack, user_id: str | None) -> list[scan.Entry]:
    if user_id is None:
        return scan.entries(stack, [Status.FAILED])
    return [
        scan.of_row(row)
        for row in stack.table.partition(accounts_key(user_id)["pk"])
        if row["sk"].startswith(TARGETS)
    ]


def _enrolled(stack: Stack, name: str) -> Target:
    targets = {one.id: one for one in stack.catalog.known().targets}
    if name not in targets:
        known = ", ".join(sorted(targets)) or "none is known yet"
        raise Trouble(f"{name} is no enrolled MCP server or session profile", f"one of: {known}")
    return targets[name]


def _backfilled(context: Context, target: Target) -> int | None:
    """Show how far it is until it is done, and return the accounts, where they can be counted.

    Pages are counted where the worker pauses.
    """
    places, done = _places(context.stack, target.key), 0
    try:
        cursors, accounts = repairs.pages(context.stack, target)
    except Unavailable as error:
        context.screen.say(f"{explained(error)}: the back-fill goes on, without a bar")
        for _ in places:
            pass
        return None
    with context.screen.progress(f"back-filling {target.id}, pages", len(cursors)) as advance:
        for place in places:
            if place in cursors[done:]:
                advance(cursors.index(place) - done)
                done = cursors.index(place)
        advance(len(cursors) - done)
    return accounts


def _places(stack: Stack, key: TargetId) -> Iterator[str]:
    """Yield where a back-fill is, again and again, until it is done."""
    while (place := repairs.backfill_place(stack, key)) is not None:
        yield place
        time.sleep(POLL_SECONDS)
