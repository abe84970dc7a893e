"""What every command has before it: a screen, and the stack, found when it is first needed."""

from functools import cached_property

import typer

from provisioner.locate import find
from provisioner.output import Screen
from provisioner.stack import Stack


class Desk:
    """The operator's desk; `name` and `local` say which stack, as in `provisioner.locate.find`."""

    def __init__(self, screen: Screen, *, name: str | None, local: bool | None) -> None:
        self.screen = screen
        self._name = name
        self._local = local

    @cached_property
    def stack(self) -> Stack:
        """The stack; raises Trouble where it is not found."""
        return find(self._name, local=self._local)

    def close(self) -> None:
        """Close the connections that there are."""
        if "stack" in vars(self):
            self.stack.close()

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask, unless it is said already; end the command on a no."""
        if not yes and not typer.confirm(question, err=True):
            raise typer.Exit(1)


def of(ctx: typer.Context) -> Desk:
    """Return the desk of a command."""
    desk = ctx.obj
    if not isinstance(desk, Desk):
        raise TypeError("the callback lays out the desk")
    return desk
