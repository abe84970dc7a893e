"""The command `init`: sets up a stack that was just deployed, and says what builds upon it."""

import json
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from handler.settings import SERVER_IDS, enrolled_servers
from handler.targets import Target
from provisioner import enrolment, samconfig, secret
from provisioner.context import Context
from provisioner.doctor import ask_composio
from provisioner.doctor.collect import lacking
from provisioner.doctor.command import report
from provisioner.errors import Trouble
from provisioner.options import Yes
from provisioner.output import table
from provisioner.secret import Secret
from provisioner.stack import Stack, soon
from provisioner.webhook_commands import connect_webhook

_ASK = "-"
_WEBHOOK = "/webhooks/composio"
_QUESTION = "Enrol which? Ids separated by commas, * for all and those to come, or nothing for none"


def _server_ids(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(SERVER_IDS, text):
        raise typer.BadParameter("must be empty, * or ids separated by commas, without spaces")
    return text


def init(
    ctx: typer.Context,
    *,
    api_key_file: Annotated[
        str | None, typer.Option(help="Read the Composio API key from this file; - asks for it.")
    ] = None,
    servers: Annotated[
        str | None,
        typer.Option(
            callback=_server_ids, help="MCP servers to enrol: IDs separated by commas, or *."
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Set up the stack that sam deploy created: API key, MCP servers, webhook.

    It ends with a check of everything, and shows what the application needs. You can run it again
    at any time: it neither asks for nor changes what is already set up.
    """
    context = Context.of(ctx)
    context.screen.say(f"stack: {context.stack.name} in {context.stack.where}")
    _api_key(context, api_key_file)
    _servers(context, servers, yes=yes)
    connect_webhook(ctx, yes=yes)
    sound = report(context)
    _show_application(context)
    if not sound:
        raise typer.Exit(1)


def _api_key(context: Context, file: str | None) -> None:
    """Store an API key that Composio accepts, unless there is one and no other is given."""
    kept = secret.read(context.stack)
    found = kept
    if file is not None or not kept.has_api_key:
        found = kept.with_api_key(_read_key(context, file))
    while refusal := _refusal(context.stack, found):
        if found is not kept and not (context.screen.answers and file in {None, _ASK}):
            raise refusal
        context.screen.fail(refusal)
        found = kept.with_api_key(_read_key(context, file))
    if found is not kept:
        secret.write(context.stack, found)
    context.screen.say("API key: Composio accepts it, with every permission to read")


def _read_key(context: Context, file: str | None) -> str:
    if file is None or file == _ASK:
        return context.screen.asked("Composio API key", "--api-key-file", hidden=True)
    # What is not text is not a key either: it is refused without being quoted.
    return Path(file).read_bytes().decode("utf-8-sig", "replace").strip()


def _refusal(stack: Stack, found: Secret) -> Trouble | None:
    """Return what is wrong with the API key; raises Trouble where Composio cannot be asked."""
    if not found.has_api_key:
        return Trouble("that is no API key", "create one at Composio, and give it whole")
    with closing(secret.holding(stack, found)) as tried:
        reached = ask_composio.reach(tried)
        if reached.key_rejected:
            return Trouble("Composio rejects the API key", "give another one")
        if reached.why_not:
            remedy = "check ComposioBaseUrl and status.composio.dev, and run it again"
            raise Trouble(f"Composio cannot be asked: {reached.why_not}", remedy)
        return lacking(tried)


def _servers(context: Context, wanted: str | None, *, yes: bool) -> None:
    """Show the MCP servers of the project, and enrol those that are wanted."""
    stack = context.stack
    listed = stack.composio.list_servers(deadline=soon())
    _show_servers(context, listed)
    provides = stack.parameters["McpServerIds"] or stack.catalog_table.catalog().profiles
    if wanted is None and not provides and listed and not yes:
        wanted = _chosen(context)
    if wanted is None or enrolled_servers(wanted) == stack.enrolled:
        return
    if unknown := sorted((enrolled_servers(wanted) or frozenset()) - listed.keys()):
        known = ", ".join(sorted(listed)) or "it has none: create one there"
        raise Trouble(f"Composio has no MCP server {', '.join(unknown)}", f"one of: {known}")
    context.screen.say("updating the stack, which takes a minute or more")
    changed = enrolment.enrol(stack, wanted)
    # What is known of the stack is out of date.
    context.close()
    if stack.samconfig and (said := samconfig.keep(stack.samconfig, changed)):
        context.screen.say(said)


def _chosen(context: Context) -> str:
    while True:
        answer = context.screen.asked(_QUESTION, "--servers").replace(" ", "")
        if re.fullmatch(SERVER_IDS, answer):
            return answer


def _show_servers(context: Context, listed: Mapping[str, Target]) -> None:
    stack = context.stack
    followers = enrolment.followers(stack, listed.values(), enrolment.MOST_PAGES)
    shown = table("MCP server", "name", "requires", "enrolled", "connected by")
    told = []
    for one in listed.values():
        enrolled = stack.enrolled is None or one.id in stack.enrolled
        required, number = sorted(one.required), followers.of(one.id)
        shown.add_row(one.id, one.name, ", ".join(required), "yes" if enrolled else "no", number)
        users = followers.users.get(one.id, 0)
        told.append({"id": one.id, "required": required, "enrolled": enrolled, "users": users})
    context.screen.show({"servers": told, "complete": followers.complete}, shown)


def _show_application(context: Context) -> None:
    """Show what the application needs; docs/integrate.md uses it."""
    stack = context.stack
    webhook_url = stack.outputs["WebhookUrl"].removesuffix(_WEBHOOK)
    url = stack.parameters.get("PublicUrl", "").rstrip("/") or webhook_url
    arn = stack.outputs["ApiArn"]
    statement = {
        "Effect": "Allow",
        "Action": "execute-api:Invoke",
        "Resource": [f"{arn}/POST/users/*/connect-sessions", f"{arn}/GET/users/*"],
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    told = {
        "API": url,
        "callback URL": f"{url}/oauth/callback",
        "event bus": stack.outputs["BusName"],
    }
    context.screen.show(
        told | {"IAM policy": policy},
        "what the application needs (docs/integrate.md):",
        *(f"{name}: {each}" for name, each in told.items()),
        "IAM policy of its role:",
        *json.dumps(policy, indent=2).splitlines(),
    )
