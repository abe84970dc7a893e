"""The commands that only read the table: `user`, `list`, `watch`."""

import itertools
import time
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table

from handler import users
from handler.targets import Kind, Status, Target
from provisioner import activity, scan
from provisioner.context import Context
from provisioner.errors import Trouble
from provisioner.options import Limit, TargetOnly, UserId
from provisioner.output import grid, status, table, text, when
from provisioner.stack import Stack

_NOT_READY = (Status.FAILED, Status.RETRYING, Status.CREATING, Status.WAITING)
"""The worst first."""
_MOST_WATCHED = 10
_TITLES = {Kind.INSTANCE: "MCP server", Kind.SESSION: "session profile"}
_LONGEST_INTERVAL = 86_400


def _finite(seconds: float) -> float:
    if not seconds <= _LONGEST_INTERVAL:
        raise typer.BadParameter(f"at most {_LONGEST_INTERVAL} seconds")
    return seconds


def user(ctx: typer.Context, user_id: UserId) -> None:
    """Show everything known about a user: accounts, targets, what is missing, errors."""
    context = Context.of(ctx)
    stack = context.stack
    facts, rows = stack.services.target_table.user(user_id)
    if not facts.accounts and not rows:
        raise Trouble(
            f"nothing is known of {user_id}",
            "check the id; provisioner backfill TARGET reads all accounts at Composio",
        )
    targets = {one.key: one for one in stack.catalog.known().targets}
    # Also what is stored of a target that nobody enrols any more, or whose accounts are gone.
    for key in rows.keys() - targets.keys():
        targets[key] = Target(key.name, frozenset(), kind=key.kind)
    shown = users.status(user_id, facts, rows, targets.values())
    context.screen.show(shown, _accounts(shown["accounts"]), *map(_target, shown["targets"]))


def list_(
    ctx: typer.Context,
    *,
    wanted: Annotated[
        list[Status] | None,
        typer.Option("--status", help="Show only targets in this status. Can be repeated."),
    ] = None,
    target: TargetOnly = None,
    limit: Limit = 50,
) -> None:
    """List users and their targets. Without --status, list the targets that are not ready."""
    context = Context.of(ctx)
    entries = [
        entry
        for entry in scan.entries(context.stack, wanted or _NOT_READY)
        if target in {None, entry.target.name}
    ]
    shown = entries[: limit or None]
    total = f"{len(entries)} in all"
    if len(shown) < len(entries):
        total = f"{len(shown)} of {len(entries)}"
    context.screen.show(
        {"total": len(entries), "targets": [entry.told() for entry in shown]},
        *([_entries(shown)] if shown else []),
        total,
    )


def watch(
    ctx: typer.Context,
    *,
    interval: Annotated[
        float,
        typer.Option(min=1, callback=_finite, help="Seconds between two readings of the table."),
    ] = 5,
    times: Annotated[int | None, typer.Option(min=1, help="Stop after this many readings.")] = None,
) -> None:
    """Show the number of targets in each status, the queues, and who is not ready, until Ctrl-C.

    Each reading scans the table: with very many users, choose a longer interval.
    """
    context = Context.of(ctx)
    screen = context.screen
    with Live(console=screen.out, auto_refresh=False, transient=False) as live:
        for number in itertools.count(1):
            now, entries = _now(context.stack), scan.entries(context.stack, Status)
            picture = _picture(now, entries)
            if screen.redraws:
                live.update(picture, refresh=True)
            else:
                screen.show({**now, "statuses": _counts(entries)}, picture)
            if number == times:
                break
            time.sleep(interval)


def _entries(entries: Iterable[scan.Entry]) -> Table:
    shown = table("user", "target", "status", "attempts", "when, UTC", "why")
    for entry in entries:
        missing = f"missing {', '.join(sorted(entry.missing))}" if entry.missing else ""
        settled = when(entry.settled_at)[5:16]
        shown.add_row(
            entry.user_id,
            entry.target.name,
            status(entry.status),
            str(entry.attempts or ""),
            f"due {when(entry.due_at)[11:]}" if entry.due_at else settled,
            missing if entry.status is Status.WAITING else entry.error or "",
        )
    return shown


def _counts(entries: Iterable[scan.Entry]) -> dict[str, int]:
    counts = Counter(entry.status for entry in entries)
    return {one.value: counts[one] for one in Status}


def _now(stack: Stack) -> dict[str, Any]:
    at = int(time.time())
    last = activity.swept(stack, at)
    return {
        "at": at,
        "queue": stack.services.queue.depth(),
        "dead_letter_queue": activity.waiting_messages(stack, "DeadLetterQueueUrl"),
        "swept_ago": last and max(0, last.began),
    }


def _picture(now: dict[str, Any], entries: list[scan.Entry]) -> RenderableType:
    sweep = "not swept yet" if now["swept_ago"] is None else f"swept {now['swept_ago']} s ago"
    line = f"{when(now['at'])} UTC, queue {now['queue']}, dead-letter queue"
    line += f" {now['dead_letter_queue']}, {sweep}"
    held = {name: str(number) for name, number in _counts(entries).items() if number}
    counts = table(*held)
    counts.add_row(*held.values())
    not_ready = [entry for entry in entries if entry.status in _NOT_READY]
    worst = sorted(not_ready, key=lambda entry: _NOT_READY.index(entry.status))[:_MOST_WATCHED]
    return Group(text(line), counts if held else "", _entries(worst) if worst else "")


def _accounts(accounts: Iterable[dict[str, Any]]) -> Table:
    shown = table("connected account", "auth config", "status", "updated at")
    for account in accounts:
        disabled = ", disabled" if account["is_disabled"] else ""
        shown.add_row(
            account["id"],
            account["auth_config_id"],
            account["status"] + disabled,
            account["updated_at"][:19],
        )
    return shown


def _named(missing: dict[str, str | None]) -> str:
    auth_config_id = str(missing["auth_config_id"])
    toolkit = missing["toolkit"]
    return f"{toolkit} ({auth_config_id})" if toolkit else auth_config_id


def _target(target: dict[str, Any]) -> RenderableType:
    error, record = target["last_error"] or {}, target["record"] or {}
    values = {
        "status": status(target["status"]),
        "missing": ", ".join(map(_named, target["missing"])),
        "attempts": str(target["attempts"] or ""),
        "due at": when(target["next_attempt_at"]),
        "record": record.get("id") or record.get("session_id", ""),
        "endpoint": (target["endpoint"] or {}).get("url", ""),
        "error": " ".join(
            str(error[key]) for key in ("status", "slug", "message") if error.get(key)
        ),
        "error at": when(error.get("at")),
        "Composio says": error.get("suggested_fix") or "",
        "request id": error.get("request_id") or "",
    }
    lines = grid()
    for name, value in values.items():
        if value:
            lines.add_row(f"  {name}", value)
    title = target.get("server_id") or target["profile"]
    return Group(text(f"{_TITLES[target['kind']]} {title}", "bold"), lines)
