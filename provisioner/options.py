"""The options and arguments that several commands have."""

from typing import Annotated

import typer

from handler.events import MAX_USER_ID_BYTES, usable


def _user_id(text: str | None) -> str | None:
    if text is not None and not usable(text):
        raise typer.BadParameter(f"a user id is 1 to {MAX_USER_ID_BYTES} bytes")
    return text


Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
TargetOnly = Annotated[
    str | None, typer.Option("--target", help="Only this MCP server or session profile.")
]
Limit = Annotated[int, typer.Option(min=0, help="Show at most this many; 0 shows all.")]
_USER_ID = typer.Argument(
    callback=_user_id, help="ID of the user, exactly as the application writes it."
)
UserId = Annotated[str, _USER_ID]
MaybeUserId = Annotated[str | None, _USER_ID]
