"""`provisioner`: sees, understands and repairs a deployed stack, at AWS or of `make serve`."""

import os
from collections.abc import Callable
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from handler.telemetry import logger
from provisioner import reading_commands as reading
from provisioner import repair_commands as repair
from provisioner import webhook_commands as webhook
from provisioner.context import Context
from provisioner.doctor.command import doctor
from provisioner.errors import EXPECTED, explained
from provisioner.locate import Target
from provisioner.output import Screen

COMMANDS: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
    "doctor": (
        doctor,
        ("doctor", "doctor --json | jq '.[] | select(.level == \"error\")'"),
    ),
    "user": (reading.user, ("user user_1", "user user_1 --json")),
    "list": (
        reading.list_,
        ("list --status failed", "list --status waiting --limit 0 --json"),
    ),
    "watch": (reading.watch, ("watch --interval 10", "watch --times 1 --json")),
    "retry": (repair.retry, ("retry user_1", "retry --all-failed")),
    "redrive": (repair.redrive, ("redrive --dry-run", "redrive")),
    "backfill": (repair.backfill, ("backfill srv_demo", "backfill srv_demo --dry-run")),
    "import": (repair.import_, ("import events.jsonl --dry-run", "import events.jsonl")),
    "forget": (repair.forget, ("forget user_1", "forget user_1 --yes")),
    "connect-webhook": (webhook.connect_webhook, ("connect-webhook",)),
    "rotate-webhook-secret": (
        webhook.rotate_webhook_secret,
        ("rotate-webhook-secret", "rotate-webhook-secret --end"),
    ),
    "send": (webhook.send, ("send", "send --account ca_1a2b3c")),
}
"""Each command with examples."""

_ANYWHERE = {"--json", "--local", "--aws"}


class Group(TyperGroup):
    """Ends in a message where it cannot go on, and takes the general flags anywhere."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own
        """Put the general flags before the command."""
        end = args.index("--") if "--" in args else len(args)
        flags = [arg for arg in args[:end] if arg in _ANYWHERE]
        rest = [arg for arg in args[:end] if arg not in _ANYWHERE]
        return super().parse_args(ctx, [*flags, *rest, *args[end:]])

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own
        """Run the command."""
        level = logger.log_level
        # What the handler's modules log is for CloudWatch.
        logger.setLevel("CRITICAL")
        try:
            return super().invoke(ctx)
        except EXPECTED as error:
            trouble, screen = explained(error), Screen(as_json=False)
            screen.say(f"provisioner: {trouble}", "red")
            screen.say(f"→ {trouble.remedy}")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        finally:
            logger.setLevel(level)


def version() -> str:
    """Return the version of this command line."""
    try:
        return metadata.version("mcp-instance-provisioner")
    except metadata.PackageNotFoundError:
        return "of a checkout that is not installed"


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer's own
    if asked:
        typer.echo(f"provisioner {version()}")
        raise typer.Exit


def options(
    ctx: typer.Context,
    *,
    stack_name: Annotated[
        str | None,
        typer.Option(envvar="PROVISIONER_STACK", help="At AWS; else what samconfig.toml says."),
    ] = None,
    local: Annotated[
        bool | None,
        typer.Option("--local/--aws", help="The stack of make serve, or the one at AWS."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, for scripts.")] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """See, understand and repair the MCP instance provisioner.

    The stack is found by its name; without one, that of a running make serve comes first.
    Region and credentials are the usual ones of AWS (AWS_REGION, AWS_PROFILE, …).
    """
    ctx.obj = context = Context(Screen(as_json=as_json), Target(stack_name, local))
    ctx.call_on_close(context.close)


app = typer.Typer(
    name="provisioner",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # they may hold a secret
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(options)
for _name, (_command, _examples) in COMMANDS.items():
    _shown = "\n\n".join(f"[dim]$[/] provisioner {one}" for one in _examples)
    app.command(_name, epilog=f"Examples:\n\n{_shown}")(_command)


def main() -> None:
    """Run the command line."""
    # A second way out for the handler's metrics is not wanted here.
    os.environ["POWERTOOLS_METRICS_DISABLED"] = "true"
    app()


if __name__ == "__main__":
    main()
