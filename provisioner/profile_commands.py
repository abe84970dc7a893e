"""The commands about session profiles: `profile put`, `list`, `show`, `remove` and `import`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from handler.targets import Target
from provisioner import profiles
from provisioner.context import Context
from provisioner.errors import Trouble
from provisioner.options import Yes
from provisioner.output import table

profile = typer.Typer(help="Put, list, show, remove or import session profiles.")

_NAME = typer.Argument(metavar="NAME", help="Name of the session profile.")


@profile.command()
def put(
    ctx: typer.Context,
    name: Annotated[str | None, _NAME] = None,
    *,
    auth_configs: Annotated[
        list[str] | None,
        typer.Option(
            "--auth-config",
            help="An account that users have to connect: TOOLKIT=AUTH_CONFIG. Can be repeated.",
        ),
    ] = None,
    create: Annotated[
        str | None, typer.Option("--create", help="JSON file with further fields for new sessions.")
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="JSON file with a list of session profiles.")
    ] = None,
) -> None:
    """Create or change a session profile, or all profiles of a file.

    Composio is asked first whether the auth configs exist, are enabled, and belong to the toolkits.
    Users who have connected everything get a session within a few minutes. A profile that has not
    changed is left alone.
    """
    if (name is None) == (file is None) or (file and (auth_configs or create)):
        ctx.fail("Say NAME with --auth-config, or --file alone.")
    if file:
        wanted = profiles.read(_text(file))
    else:
        text = _text(create) if create else None
        wanted = [profiles.asked(str(name), auth_configs or [], text)]
    _put(Context.of(ctx), wanted)


@profile.command(name="list")
def list_(ctx: typer.Context) -> None:
    """List the session profiles."""
    context = Context.of(ctx)
    found = context.stack.catalog_table.catalog().profiles
    shown = table("profile", "requires")
    for one in found:
        pairs = (f"{toolkit} ({name})" for name, toolkit in sorted(one.toolkits.items()))
        shown.add_row(one.id, ", ".join(pairs))
    value = {"profiles": [profiles.told(one) for one in found]}
    context.screen.show(value, shown if found else "there are none")


@profile.command()
def show(ctx: typer.Context, name: Annotated[str, _NAME]) -> None:
    """Show a session profile in the form that put --file reads."""
    context = Context.of(ctx)
    told = profiles.told(profiles.found(context.stack, name))
    context.screen.show(told, json.dumps(told))


@profile.command()
def remove(ctx: typer.Context, name: Annotated[str, _NAME], *, yes: Yes = False) -> None:
    """Remove a session profile, which creates no more sessions. Deletes nothing at Composio."""
    context = Context.of(ctx)
    profiles.found(context.stack, name)
    context.confirm(f"Remove the session profile {name}?", yes=yes)
    profiles.remove(context.stack, name)
    context.screen.show({"profile": name, "removed": True}, f"{name}: removed")


@profile.command(name="import")
def import_(
    ctx: typer.Context,
    server_id: Annotated[str, typer.Argument(metavar="SERVER", help="ID of the MCP server.")],
    *,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", help="Name of the session profile. Default: the name of the MCP server."
        ),
    ] = None,
) -> None:
    """Create a session profile that requires the same as an MCP server.

    If Composio no longer has the MCP server, what the stack stores about it is used.
    """
    context = Context.of(ctx)
    _put(context, [profiles.imported(context.stack, server_id, name)])


def _put(context: Context, wanted: list[Target]) -> None:
    profiles.check(context.stack, wanted)
    put = {one.id: profiles.put(context.stack, one) for one in wanted}
    said = (f"{name}: {'put' if new else 'unchanged'}" for name, new in put.items())
    context.screen.show({"profiles": put}, *said)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise Trouble(f"{path} cannot be read: {error}", "a JSON file in UTF-8") from None
