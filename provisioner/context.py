"""What every command starts from: its output, and the stack, which is found when first needed."""

from functools import cached_property

import typer

from provisioner.locate import Choice, find
from provisioner.output import Screen
from provisioner.stack import Stack


class Context:
    """The output of one command, and the stack that it works on."""

    def __init__(self, screen: Screen, choice: Choice) -> None:
        self.screen = screen
        self._choice = choice

    @classmethod
    def of(cls, ctx: typer.Context) -> "Context":
        """Return the context that the general options made."""
        if not isinstance(ctx.obj, cls):
            raise TypeError("the general options have not been read")
        return ctx.obj

    @cached_property
    def stack(self) -> Stack:
        """The stack; raises Trouble if there is none."""
        return find(self._choice)

    def close(self) -> None:
        """Close the connections that were made; the stack is found again when it is needed."""
        if "stack" in vars(self):
            self.stack.close()
            del vars(self)["stack"]

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask, unless `yes` says it already; end the command if the answer is no."""
        if not yes and not self.screen.confirmed(question):
            self.screen.say("nothing was changed")
            raise typer.Exit(1)
