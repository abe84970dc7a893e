"""The command `provisioner doctor`."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from provisioner.context import Context
from provisioner.doctor.collect import collect
from provisioner.doctor.facts import Finding
from provisioner.doctor.judge import judge
from provisioner.output import grid, text

_MARKS = {"ok": ("✓", "green"), "note": ("i", "yellow"), "error": ("✗", "red")}


def doctor(
    ctx: typer.Context,
    *,
    newer: Annotated[
        bool, typer.Option("--newer", help="Also look for a newer release, with git.")
    ] = False,
) -> None:
    """Check the whole setup: one line for each check, with what to do about a problem.

    The exit code is 1 if something is wrong.
    """
    if not report(Context.of(ctx), newer=newer):
        raise typer.Exit(1)


def report(context: Context, *, newer: bool = False) -> bool:
    """Print the findings, and return whether nothing is wrong."""
    stack = context.stack
    findings = [
        Finding("stack", "ok", f"{stack.name} in {stack.where}"),
        *judge(collect(stack, newer=newer)),
    ]
    table = grid()
    for finding in findings:
        mark, style = _MARKS[finding.level]
        message = text(finding.message)
        if finding.remedy:
            message.append("\n→ ")
            message.append(text(finding.remedy, "bold" if finding.level == "error" else ""))
        table.add_row(text(mark, style), Text(finding.check, no_wrap=True), message)
    context.screen.show([asdict(finding) for finding in findings], table)
    return all(finding.level != "error" for finding in findings)
