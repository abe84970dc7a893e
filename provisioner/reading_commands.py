"""The commands that only look: `doctor`, `user`, `list`, `watch`."""

import itertools
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from handler import users
from handler.values import Server, Status
from provisioner import context, scan
from provisioner.doctor import judge
from provisioner.doctor.collect import examine, queued, swept
from provisioner.doctor.facts import Finding
from provisioner.errors import Trouble
from provisioner.output import status, table, when
from provisioner.stack import Stack

_MARKS = {"ok": ("✓", "green"), "note": ("i", "yellow"), "bad": ("✗", "red")}
_TROUBLED = (Status.FAILED, Status.RETRYING, Status.CREATING, Status.WAITING)


def doctor(ctx: typer.Context) -> None:
    """Check everything that has to be right; one line each, with what to do about it.

    Exit code 1 where something is wrong.
    """
    at = context.of(ctx)
    found = [
        Finding("stack", "ok", f"{at.stack.name} in {at.stack.where}"),
        *judge.findings(examine(at.stack)),
    ]
    shown = Table.grid(padding=(0, 1))
    for one in found:
        mark, style = _MARKS[one.level]
        said = Text(one.said, overflow="fold")
        if one.remedy:
            said.append(f"\n→ {one.remedy}", "bold" if one.level == "bad" else "")
        shown.add_row(Text(mark, style), Text(one.check, no_wrap=True), said)
    at.screen.show([asdict(one) for one in found], shown)
    if any(one.level == "bad" for one in found):
        raise typer.Exit(1)


def user(
    ctx: typer.Context,
    user_id: Annotated[str, typer.Argument(help="Exactly as the application names the user.")],
) -> None:
    """Tell the whole story of a user: accounts, instances, what is missing, errors."""
    at = context.of(ctx)
    facts, instances = at.stack.user_table.user(user_id)
    if not facts.accounts and not instances:
        raise Trouble(
            f"nothing is known of {user_id}",
            "check the id; provisioner backfill SERVER reads all accounts at Composio",
        )
    servers = {one.id: one for one in at.stack.catalog.known().servers}
    # Also what is stored of a server that nobody enrols any more, or whose accounts are gone.
    told = users.status(user_id, facts, instances, servers.values())
    seen = {one["server_id"] for one in told["servers"]}
    rest = [servers.get(one) or Server(one, frozenset()) for one in instances if one not in seen]
    told["servers"] += [users.server_status(one, facts, instances[one.id]) for one in rest]
    at.screen.show(told, _accounts(told["accounts"]), *map(_instance, told["servers"]))


def list_(
    ctx: typer.Context,
    *,
    wanted: Annotated[
        list[Status] | None, typer.Option("--status", help="Only these; may be repeated.")
    ] = None,
    server: Annotated[str | None, typer.Option(help="Only of this MCP server.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Show no more than these; 0 for all.")] = 50,
) -> None:
    """List users with their instances; without --status, all that are not ready."""
    at = context.of(ctx)
    found = [
        one
        for one in scan.entries(at.stack, wanted or _TROUBLED)
        if server in {None, one.server_id}
    ]
    some = found[: limit or None]
    said = f"{len(some)} of {len(found)}" if len(some) < len(found) else f"{len(found)} in all"
    at.screen.show(
        {"total": len(found), "instances": [asdict(one) for one in some]},
        *([listed(some)] if some else []),
        said,
    )


def watch(
    ctx: typer.Context,
    *,
    interval: Annotated[float, typer.Option(min=1, help="Seconds between two readings.")] = 5,
    times: Annotated[int | None, typer.Option(min=1, help="End after so many readings.")] = None,
) -> None:
    """Show how many are in each status, the queues, and who is in trouble, until Ctrl-C.

    Each reading scans the table: with very many users, let the interval be longer.
    """
    at = context.of(ctx)
    still = at.screen.as_json or not at.screen.out.is_terminal
    with Live(console=at.screen.out, auto_refresh=False, transient=False) as live:
        for number in itertools.count(1):
            now, found = _now(at.stack), scan.entries(at.stack, Status)
            shown = _picture(now, found)
            if still:
                at.screen.show({**now, "statuses": _counted(found)}, shown)
            else:
                live.update(shown, refresh=True)
            if number == times:
                break
            time.sleep(interval)


def listed(found: Iterable[scan.Entry]) -> Table:
    """Return the entries as a table."""
    shown = table("user", "MCP server", "status", "attempts", "when, UTC", "why")
    for one in found:
        missing = f"missing {', '.join(sorted(one.missing))}" if one.missing else ""
        at = f"due {when(one.due_at)[11:]}" if one.due_at else when(one.settled_at)[5:16]
        shown.add_row(
            one.user_id,
            one.server_id,
            status(one.status),
            str(one.attempts or ""),
            at,
            missing if one.status is Status.WAITING else one.error or "",
        )
    return shown


def _counted(found: Iterable[scan.Entry]) -> dict[str, int]:
    counts = Counter(one.status for one in found)
    return {one.value: counts[one] for one in Status}


def _now(stack: Stack) -> dict[str, Any]:
    at = int(time.time())
    last = swept(stack, at)
    return {
        "at": at,
        "queue": stack.queue.depth(),
        "dead_letter_queue": queued(stack, "DeadLetterQueueUrl"),
        "swept_ago": last and max(0, last.began),
    }


def _picture(now: dict[str, Any], found: list[scan.Entry]) -> RenderableType:
    sweep = "not swept yet" if now["swept_ago"] is None else f"swept {now['swept_ago']} s ago"
    line = f"{when(now['at'])} UTC, queue {now['queue']}, dead-letter queue"
    line += f" {now['dead_letter_queue']}, {sweep}"
    held = {name: str(number) for name, number in _counted(found).items() if number}
    counts = table(*held)
    counts.add_row(*held.values())
    troubled = [one for one in found if one.status in _TROUBLED]
    worst = sorted(troubled, key=lambda one: _TROUBLED.index(one.status))[:10]
    return Group(Text(line), counts if held else "", listed(worst) if worst else "")


def _accounts(accounts: Iterable[dict[str, Any]]) -> Table:
    shown = table("connected account", "auth config", "status", "updated at")
    for one in accounts:
        said = f"{one['status']}, disabled" if one["is_disabled"] else one["status"]
        shown.add_row(one["id"], one["auth_config_id"], said, one["updated_at"][:19])
    return shown


def _instance(told: dict[str, Any]) -> RenderableType:
    lines = Table.grid(padding=(0, 1))
    error = told["last_error"] or {}
    parts = {
        "status": status(told["status"]),
        "missing": ", ".join(told["missing"]),
        "attempts": str(told["attempts"] or ""),
        "due at": when(told["next_attempt_at"]),
        "instance": (told["instance"] or {}).get("id", ""),
        "error": " ".join(
            str(error[key]) for key in ("status", "slug", "message") if error.get(key)
        ),
        "error at": when(error.get("at")),
        "Composio says": error.get("suggested_fix") or "",
        "request id": error.get("request_id") or "",
    }
    for name, value in parts.items():
        if value:
            lines.add_row(f"  {name}", value)
    return Group(Text(f"MCP server {told['server_id']}", "bold"), lines)
