"""What follows from what Composio says."""

from collections.abc import Iterable, Mapping

from handler.targets import Target
from provisioner.doctor.facts import Facts, Finding, unread
from provisioner.errors import Trouble
from provisioner.subscription import Subscription, lacking


def composio(facts: Facts) -> Finding:
    """Judge whether Composio can be asked."""
    name = "Composio"
    if facts.key_rejected:
        remedy = f"create a new key at Composio, then {facts.init}"
        return Finding(name, "error", "Composio rejects the API key", remedy)
    if facts.composio:
        remedy = "check ComposioBaseUrl and status.composio.dev; the sweep catches up by itself"
        return Finding(name, "error", f"Composio cannot be asked: {facts.composio}", remedy)
    return Finding(name, "ok", "accepts the API key")


def servers(facts: Facts) -> Finding:
    """Judge the enrolled MCP servers."""
    name = "MCP servers"
    if isinstance(facts.servers, Trouble):
        return unread(name, facts.servers)
    known = facts.servers.values()
    gone = sorted(server.id for server in known if server.gone)
    if gone:
        remedy = "take it out of McpServerIds (sam deploy), or create it at Composio"
        return Finding(name, "error", f"Composio does not know {', '.join(gone)}", remedy)
    if not known and facts.profiles:
        return Finding(name, "ok", "none is enrolled")
    if not known:
        profile = f"for sessions, {facts.commands.provisioner} profile put"
        remedy = f"{facts.init} shows those of the project, and takes --servers; {profile}"
        return Finding(name, "note", "no MCP server is enrolled, so nothing is created", remedy)
    idle = sorted(server.id for server in known if not server.required)
    if idle:
        message = f"no auth config: {', '.join(idle)}"
        return Finding(name, "note", message, "add auth configs to it at Composio")
    return Finding(name, "ok", _requirements(facts, known))


def sessions(facts: Facts) -> Finding:
    """Judge the session profiles, and whether what was made of them is there."""
    name, profiles, known = "sessions", facts.profiles, facts.sessions
    if isinstance(profiles, Trouble) or isinstance(known, Trouble):
        return unread(name, profiles, known)
    if absent := known.count(False):
        remedy = "POST /users/{user_id}/refresh makes them anew (docs/sessions.md)"
        message = f"Composio does not know {absent} of {len(known)} that were asked about"
        return Finding(name, "error", message, remedy)
    said = _requirements(facts, profiles)
    return Finding(name, "ok", f"{said}; Composio knows all {len(known)} that were asked about")


def auth_configs(facts: Facts, servers: Mapping[str, Target]) -> Finding:
    """Judge whether what the targets require is there."""
    name = "auth configs"
    if isinstance(facts.auth_configs, Trouble):
        return unread(name, facts.auth_configs, level="note")
    profiles = () if isinstance(facts.profiles, Trouble) else facts.profiles
    required = frozenset[str]().union(*(one.required for one in (*servers.values(), *profiles)))
    absent = sorted(required - facts.auth_configs)
    if absent:
        remedy = "create it again at Composio, or take it off the MCP server or profile"
        return Finding(name, "error", f"required, but not there: {', '.join(absent)}", remedy)
    return Finding(name, "ok", f"all {len(required)} that are required are there")


def events(facts: Facts) -> Finding:
    """Judge which events Composio offers."""
    name = "event types"
    if isinstance(facts.offered, Trouble):
        return unread(name, facts.offered, level="note")
    types = ", ".join(event.rpartition(".")[2] for event in facts.offered) or "none"
    if any(not event.endswith(".expired") for event in facts.offered):
        return Finding(name, "ok", f"Composio sends events about accounts: {types}")
    message = f"Composio sends only {types}; the sweep finds accounts that turn ACTIVE"
    return Finding(name, "note", message, "to be faster, use CallbackUrl or send events (README)")


def webhook(facts: Facts) -> Finding:
    """Judge the subscription of the webhook."""
    name, subscription = "webhook", facts.subscription
    connect = f"{facts.commands.provisioner} connect-webhook"
    if isinstance(subscription, Trouble):
        return unread(name, subscription)
    if subscription is None:
        return Finding(name, "error", "Composio has no webhook subscription", connect)
    offered = [] if isinstance(facts.offered, Trouble) else list(facts.offered)
    changes = lacking(subscription, facts.webhook_url, offered)
    if "webhook_url" in changes:
        message = f"the subscription goes elsewhere: {subscription.webhook_url}"
        return Finding(name, "error", message, f"{connect} (it asks before it takes it over)")
    if changes:
        absent = sorted(set(offered) - set(subscription.enabled_events))
        message = f"the subscription lacks {', '.join(absent) or 'payload version V3'}"
        return Finding(name, "error", message, connect)
    return Finding(name, "ok", "the subscription comes here, with every account event")


def signing(facts: Facts, subscription: Subscription) -> Finding:
    """Judge whether what Composio signs is accepted."""
    name, own = "signing", facts.commands.provisioner
    if not subscription.secret:
        return Finding(name, "note", "Composio hides its webhook secret", f"{own} send")
    if subscription.secret not in facts.webhook_secrets:
        message = "Composio's webhook secret is not accepted"
        return Finding(name, "error", message, f"{own} connect-webhook")
    return Finding(name, "ok", "Composio's webhook secret is accepted")


def deprecation(facts: Facts) -> Finding:
    """Judge whether an endpoint that is used will go."""
    name = "deprecation"
    if isinstance(facts.deprecated, Trouble):
        return unread(name, facts.deprecated, level="note")
    if facts.deprecated:
        message = "; ".join(f"{path}: {text}" for path, text in facts.deprecated.items())
        remedy = "move to sessions before that date (docs/sessions.md)"
        return Finding(name, "error", message, remedy)
    return Finding(name, "ok", "Composio marks no endpoint that is used as deprecated")


def _requirements(facts: Facts, targets: Iterable[Target]) -> str:
    said = []
    for one in targets:
        users = "" if isinstance(facts.followers, Trouble) else facts.followers.of(one.id)
        requirement = f"{one.id} requires {' and '.join(sorted(one.required))}"
        said.append(f"{requirement} (connected by {users})" if users else requirement)
    return ", ".join(said)
