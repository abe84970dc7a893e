"""What follows from what Composio says."""

from collections.abc import Iterable

from handler.targets import Target
from provisioner.doctor.facts import Facts, Verdict, error, known, note, ok
from provisioner.errors import Trouble
from provisioner.subscription import Subscription, lacking


def composio(facts: Facts) -> Verdict:
    """Judge whether Composio can be asked."""
    if facts.key_rejected:
        remedy = f"create a new key at Composio, then {facts.init}"
        return error("Composio rejects the API key", remedy)
    if facts.composio:
        remedy = "check ComposioBaseUrl and status.composio.dev; the sweep catches up by itself"
        return error(f"Composio cannot be asked: {facts.composio}", remedy)
    return ok("accepts the API key")


def servers(facts: Facts) -> Verdict:
    """Judge the enrolled MCP servers."""
    servers = known(facts.servers).values()
    if gone := sorted(server.id for server in servers if server.gone):
        remedy = "take it out of McpServerIds (sam deploy), or create it at Composio"
        return error(f"Composio does not know {', '.join(gone)}", remedy)
    if not servers and facts.profiles:
        return ok("none is enrolled")
    if not servers:
        profile = f"for sessions, {facts.commands.provisioner} profile put"
        remedy = f"{facts.init} shows those of the project, and takes --servers; {profile}"
        return note("no MCP server is enrolled, so nothing is created", remedy)
    if idle := sorted(server.id for server in servers if not server.required):
        return note(f"no auth config: {', '.join(idle)}", "add auth configs to it at Composio")
    return ok(_requirements(facts, servers))


def sessions(facts: Facts) -> Verdict:
    """Judge the session profiles, and whether their sessions exist."""
    profiles, sessions = known(facts.profiles), known(facts.sessions)
    if absent := sessions.count(False):
        message = f"Composio does not know {absent} of {len(sessions)} that were asked about"
        return error(message, "POST /users/{user_id}/refresh makes them anew (docs/sessions.md)")
    required = _requirements(facts, profiles)
    return ok(f"{required}; Composio knows all {len(sessions)} that were asked about")


def auth_configs(facts: Facts) -> Verdict:
    """Judge whether the auth configs that the targets require exist."""
    there = known(facts.auth_configs)
    profiles = () if isinstance(facts.profiles, Trouble) else facts.profiles
    targets = (*known(facts.servers).values(), *profiles)
    required = frozenset[str]().union(*(one.required for one in targets))
    if absent := sorted(required - there):
        remedy = "create it again at Composio, or take it off the MCP server or profile"
        return error(f"required, but not there: {', '.join(absent)}", remedy)
    return ok(f"all {len(required)} that are required are there")


def events(facts: Facts) -> Verdict:
    """Judge which events Composio offers."""
    offered = known(facts.offered)
    types = ", ".join(event.rpartition(".")[2] for event in offered) or "none"
    if any(not event.endswith(".expired") for event in offered):
        return ok(f"Composio sends events about accounts: {types}")
    message = f"Composio sends only {types}; the sweep finds accounts that turn ACTIVE"
    return note(message, "to be faster, use CallbackUrl or send events (README)")


def webhook(facts: Facts) -> Verdict:
    """Judge the subscription of the webhook."""
    subscription = known(facts.subscription)
    connect = f"{facts.commands.provisioner} connect-webhook"
    if subscription is None:
        return error("Composio has no webhook subscription", connect)
    offered = [] if isinstance(facts.offered, Trouble) else list(facts.offered)
    changes = lacking(subscription, facts.webhook_url, offered)
    if "webhook_url" in changes:
        message = f"the subscription goes elsewhere: {subscription.webhook_url}"
        return error(message, f"{connect} (it asks before it takes it over)")
    if changes:
        absent = sorted(set(offered) - set(subscription.enabled_events))
        lacks = ", ".join(absent) or "payload version V3"
        return error(f"the subscription lacks {lacks}", connect)
    return ok("the subscription comes here, with every account event")


def signing(facts: Facts, subscription: Subscription) -> Verdict:
    """Judge whether what Composio signs is accepted."""
    own = facts.commands.provisioner
    if not subscription.secret:
        return note("Composio hides its webhook secret", f"{own} send")
    if subscription.secret not in facts.webhook_secrets:
        return error("Composio's webhook secret is not accepted", f"{own} connect-webhook")
    return ok("Composio's webhook secret is accepted")


def deprecation(facts: Facts) -> Verdict:
    """Judge whether an endpoint that is used is deprecated."""
    if deprecated := known(facts.deprecated):
        message = "; ".join(f"{path}: {text}" for path, text in deprecated.items())
        return error(message, "move to sessions before that date (docs/sessions.md)")
    return ok("Composio marks no endpoint that is used as deprecated")


def _requirements(facts: Facts, targets: Iterable[Target]) -> str:
    said = []
    for one in targets:
        users = "" if isinstance(facts.followers, Trouble) else facts.followers.of(one.id)
        requirement = f"{one.id} requires {' and '.join(sorted(one.required))}"
        said.append(f"{requirement} (connected by {users})" if users else requirement)
    return ", ".join(said)
