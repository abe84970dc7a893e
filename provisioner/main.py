"""`provisioner`: inspects and repairs a deployed stack, at AWS or of `make serve`."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from handler.telemetry import logger, metrics
from provisioner import locate
from provisioner import reading_commands as reading
from provisioner import repair_commands as repair
from provisioner import webhook_commands as webhook
from provisioner.context import Context
from provisioner.dead_letter_commands import dead_letters
from provisioner.doctor.command import doctor
from provisioner.errors import TRACEBACK, Trouble, explained
from provisioner.events_command import events
from provisioner.import_command import import_
from provisioner.init_command import init
from provisioner.logs_command import logs
from provisioner.output import Screen
from provisioner.profile_commands import profile
from provisioner.releases import version

type Command = Callable[..., None] | typer.Typer

COMMANDS: dict[str, tuple[Command, tuple[str, ...]]] = {
    "init": (init, ("init", "init --yes --api-key-file key.txt --servers srv_demo")),
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
    "events": (events, ("events", "events --json | jq .detail.endpoint.url")),
    "logs": (
        logs,
        ("logs user_1", "logs --since 2h --follow", "logs --level warning --json"),
    ),
    "retry": (repair.retry, ("retry user_1", "retry --all-failed")),
    "backfill": (repair.backfill, ("backfill srv_demo", "backfill srv_demo --dry-run")),
    "profile": (
        profile,
        ("profile put work --auth-config gmail=ac_gmail", "profile import srv_demo --name work"),
    ),
    "forget": (repair.forget, ("forget user_1", "forget user_1 --yes")),
    "import": (import_, ("import events.jsonl --dry-run", "import - < events.jsonl")),
    "dead-letters": (
        dead_letters,
        ("dead-letters show", "dead-letters redrive", "dead-letters drop --kind 'not JSON'"),
    ),
    "connect-webhook": (webhook.connect_webhook, ("connect-webhook",)),
    "rotate-webhook-secret": (
        webhook.rotate_webhook_secret,
        ("rotate-webhook-secret", "rotate-webhook-secret --end"),
    ),
    "send": (webhook.send, ("send", "send --account ca_1a2b3c")),
}
"""Each command with examples."""

_FLAGS = {"--json", "--local", "--aws"}
_OPTIONS = {"--stack-name", "--region", "--profile"}


class Group(TyperGroup):
    """Takes the general options anywhere, and ends every error in a message and an exit code."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **named: Any) -> NoReturn:
        """Run the command line, and exit."""
        arguments = list(sys.argv[1:] if args is None else args)
        screen = Screen(as_json="--json" in _before_dashes(arguments))
        named["standalone_mode"] = False
        code = 1
        try:
            _check(arguments, screen)
            with _handler_silent():
                code = super().main(arguments or ["--help"], *rest, **named) or 0
            sys.stdout.flush()
        except BrokenPipeError:
            pass  # whoever reads the output has seen enough
        except typer.TyperException as error:
            code = error.exit_code
            path = getattr(getattr(error, "ctx", None), "command_path", "provisioner")
            screen.fail(Trouble(error.format_message(), f"{path} --help"))
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            screen.fail(explained(error))
        finally:
            screen.close()
        sys.exit(code)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own
        """Put the general options before the command."""
        general, others, rest = list[str](), list[str](), _before_dashes(args)
        after = args[len(rest) :]
        while rest:
            argument = rest.pop(0)
            if argument in _OPTIONS and not rest:
                ctx.fail(f"Option '{argument}' requires an argument.")
            if argument in _OPTIONS:
                general += [argument, rest.pop(0)]
            elif argument in _FLAGS or argument.partition("=")[0] in _OPTIONS:
                general.append(argument)
            else:
                others.append(argument)
        return super().parse_args(ctx, [*general, *others, *after])


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer's own
    if asked:
        typer.echo(f"provisioner {version() or 'of a checkout that is not installed'}")
        raise typer.Exit


def options(
    ctx: typer.Context,
    *,
    stack_name: Annotated[
        str | None,
        typer.Option(
            envvar=locate.NAME_VARIABLE,
            help="Name of the stack at AWS. Default: as for sam deploy.",
        ),
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="AWS Region. Default: as for sam deploy.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="AWS profile. Default: as for sam deploy.")
    ] = None,
    local: Annotated[
        bool | None,
        typer.Option("--local/--aws", help="Use the stack of make serve, or the one at AWS."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Inspect and repair the MCP instance provisioner.

    Without --stack-name, commands use the stack of a running make serve, or else the one that sam
    deploy would deploy here. These options can stand before or after a command.
    """
    choice = locate.Choice(stack_name, region, profile, local)
    if wrong := locate.mistake(choice, os.environ):
        ctx.fail(wrong)
    ctx.obj = context = Context(Screen(as_json=as_json), choice)
    ctx.call_on_close(context.close)


@contextmanager
def _handler_silent() -> Iterator[None]:
    """Suppress what the handler's modules log and count, which is for CloudWatch.

    They would print a line for each hundred values of a metric, whatever the environment says.
    """
    level = logger.log_level
    logger.setLevel("CRITICAL")
    vars(metrics)["add_metric"] = lambda **_: None
    try:
        yield
    finally:
        logger.setLevel(level)
        del vars(metrics)["add_metric"]


def _before_dashes(arguments: list[str]) -> list[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else list(arguments)


def _check(arguments: Sequence[str], screen: Screen) -> None:
    if screen.closed:
        raise Trouble("the standard output is closed", "end the command with > /dev/null instead")
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise typer.BadParameter(f"{argument} is not UTF-8") from None


app = typer.Typer(
    name="provisioner",
    cls=Group,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.callback()(options)
for _name, (_command, _examples) in COMMANDS.items():
    _shown = "\n\n".join(f"[dim]$[/] provisioner {one}" for one in _examples)
    _epilog = f"Examples:\n\n{_shown}"
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_name, epilog=_epilog)
    else:
        app.command(_name, epilog=_epilog)(_command)
