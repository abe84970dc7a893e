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

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a session profile.")]


@profile.command()
def put(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Of the profile.")] = None,
    *,
    auth_configs: Annotated[
        list[str] | None,
        typer.Option("--auth-config", help="TOOLKIT=AUTH_CONFIG that a user has to connect."),
    ] = None,
    create: Annotated[
        str | None, typer.Option("--create", help="A JSON file: further fields of the sessions.")
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="A JSON file with a list of profiles.")
    ] = None,
) -> None:
    """Put a session profile, or all of a file; what is there already is left unchanged.

    Composio is asked first whether the auth configs exist, are enabled, and are of the toolkits.
    Whoever has connected everything gets a session, within a few minutes.
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
def show(ctx: typer.Context, name: Name) -> None:
    """Show a session profile as a file has it."""
    context = Context.of(ctx)
    told = profiles.told(profiles.found(context.stack, name))
    context.screen.show(told, json.dumps(told))


@profile.command()
def remove(ctx: typer.Context, name: Name, *, yes: Yes = False) -> None:
    """Remove a session profile: no more sessions are made. Nothing is deleted at Composio."""
    context = Context.of(ctx)
    profiles.found(context.stack, name)
    context.confirm(f"Remove the session profile {name}?", yes=yes)
    profiles.remove(context.stack, name)
    context.screen.show({"profile": name, "removed": True}, f"{name}: removed")


@profile.command(name="import")
def import_(
    ctx: typer.Context,
    server_id: Annotated[str, typer.Argument(metavar="SERVER", help="The id of an MCP server.")],
    *,
    name: Annotated[
        str | None, typer.Option("--name", help="Of the profile; else that of the MCP server.")
    ] = None,
) -> None:
    """Put a session profile that requires what an MCP server does.

    Where Composio has it no more, what is stored here of it is taken.
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
