"""What follows from the facts, purely: one finding for each check, with what to do about it."""

from collections.abc import Iterator, Mapping

from handler.values import Target
from provisioner.doctor.facts import Facts, Finding, Level
from provisioner.errors import Trouble
from provisioner.subscription import Subscription, lacking

SWEEP_SECONDS, LONGEST_PASS_SECONDS = 300, 3600
"""The sweep begins a pass each minute; with very many users a pass may take up to the second."""
SKEW_SECONDS = 60
"""A signature is valid for 300 s either way; a clock that is off by a minute drifts further."""
LONG_QUEUE = 1000
FILL = "fill the secret (README, Deploy, step 1)"
CONNECT = "provisioner connect-webhook"


def judge(facts: Facts) -> Iterator[Finding]:
    """Yield the findings; what the others depend on comes first."""
    yield _secret(facts)
    if facts.has_api_key is True:
        yield _composio(facts)
    asked = facts.has_api_key is True and not facts.composio
    if asked:
        yield _servers(facts)
        if not isinstance(facts.servers, Trouble):
            yield _auth_configs(facts, facts.servers)
        yield _events(facts)
        yield _webhook(facts)
        if isinstance(facts.subscription, Subscription):
            yield _signing(facts, facts.subscription)
    yield _queue(facts)
    yield _dead_letter_queue(facts)
    yield _sweep(facts)
    if facts.clocks:
        yield _clock(facts)
    if asked:
        yield _deprecation(facts)


def _unread(name: str, *facts: object, level: Level = "error") -> Finding:
    """Say which of the facts could not be read, with its own remedy."""
    trouble = next(fact for fact in facts if isinstance(fact, Trouble))
    return Finding(name, level, str(trouble), trouble.remedy)


def _secret(facts: Facts) -> Finding:
    name = "secret"
    if isinstance(facts.has_api_key, Trouble):
        return _unread(name, facts.has_api_key)
    if facts.secret_flaws:
        return Finding(name, "error", f"not used: {'; '.join(facts.secret_flaws)}", FILL)
    if not facts.has_api_key:
        return Finding(name, "error", "the secret holds no Composio API key", FILL)
    if not facts.webhook_secrets:
        return Finding(name, "error", "no webhook secret: every delivery is rejected", CONNECT)
    number = len(facts.webhook_secrets)
    return Finding(name, "ok", f"an API key and {number} webhook secret{'s'[: number > 1]}")


def _composio(facts: Facts) -> Finding:
    name = "Composio"
    if facts.key_rejected:
        message = "Composio rejects the API key"
        return Finding(name, "error", message, f"create a new key at Composio, then {FILL}")
    if facts.composio:
        remedy = "check ComposioBaseUrl and status.composio.dev; the sweep catches up by itself"
        return Finding(name, "error", f"Composio cannot be asked: {facts.composio}", remedy)
    return Finding(name, "ok", "accepts the API key")


def _servers(facts: Facts) -> Finding:
    name = "MCP servers"
    if isinstance(facts.servers, Trouble):
        return _unread(name, facts.servers)
    servers = facts.servers.values()
    gone = sorted(server.id for server in servers if server.gone)
    if gone:
        remedy = "take it out of McpServerIds (sam deploy), or create it at Composio"
        return Finding(name, "error", f"Composio does not know {', '.join(gone)}", remedy)
    if not servers:
        remedy = "choose McpServerIds (docs/operations.md, Enrol an MCP server)"
        return Finding(name, "note", "no MCP server is enrolled, so nothing is created", remedy)
    idle = sorted(server.id for server in servers if not server.required)
    if idle:
        message = f"no auth config: {', '.join(idle)}"
        return Finding(name, "note", message, "add auth configs to it at Composio")
    return Finding(
        name, "ok", ", ".join(f"{one.id} requires {_all(one.required)}" for one in servers)
    )


def _auth_configs(facts: Facts, servers: Mapping[str, Target]) -> Finding:
    name = "auth configs"
    if isinstance(facts.auth_configs, Trouble):
        return _unread(name, facts.auth_configs, level="note")
    required = frozenset[str]().union(*(server.required for server in servers.values()))
    absent = sorted(required - facts.auth_configs)
    if absent:
        remedy = "create it again at Composio, or take it off the MCP server"
        return Finding(name, "error", f"required, but not there: {', '.join(absent)}", remedy)
    return Finding(name, "ok", f"all {len(required)} that are required are there")


def _events(facts: Facts) -> Finding:
    name = "event types"
    if isinstance(facts.offered, Trouble):
        return _unread(name, facts.offered, level="note")
    types = ", ".join(event.rpartition(".")[2] for event in facts.offered) or "none"
    if any(not event.endswith(".expired") for event in facts.offered):
        return Finding(name, "ok", f"Composio sends events about accounts: {types}")
    message = f"Composio sends only {types}; the sweep finds accounts that turn ACTIVE"
    return Finding(name, "note", message, "to be faster, use CallbackUrl or send events (README)")


def _webhook(facts: Facts) -> Finding:
    name, subscription = "webhook", facts.subscription
    if isinstance(subscription, Trouble):
        return _unread(name, subscription)
    if subscription is None:
        return Finding(name, "error", "Composio has no webhook subscription", CONNECT)
    offered = [] if isinstance(facts.offered, Trouble) else list(facts.offered)
    changes = lacking(subscription, facts.webhook_url, offered)
    if "webhook_url" in changes:
        message = f"the subscription goes elsewhere: {subscription.webhook_url}"
        return Finding(name, "error", message, f"{CONNECT} (it asks before it takes it over)")
    if changes:
        absent = sorted(set(offered) - set(subscription.enabled_events))
        message = f"the subscription lacks {', '.join(absent) or 'payload version V3'}"
        return Finding(name, "error", message, CONNECT)
    return Finding(name, "ok", "the subscription comes here, with every account event")


def _signing(facts: Facts, subscription: Subscription) -> Finding:
    name = "signing"
    if not subscription.secret:
        return Finding(name, "note", "Composio hides its webhook secret", "provisioner send")
    if subscription.secret not in facts.webhook_secrets:
        return Finding(name, "error", "Composio's webhook secret is not accepted", CONNECT)
    return Finding(name, "ok", "Composio's webhook secret is accepted")


def _queue(facts: Facts) -> Finding:
    name = "queue"
    if isinstance(facts.queued, Trouble) or isinstance(facts.worker_takes, Trouble):
        return _unread(name, facts.queued, facts.worker_takes)
    if not facts.worker_takes:
        remedy = "aws lambda update-event-source-mapping --enabled --uuid (of the worker's queue)"
        message = f"the worker takes no messages; {facts.queued} queued"
        return Finding(name, "error", message, remedy)
    if facts.queued >= LONG_QUEUE:
        remedy = "wait, or deploy with more WorkerConcurrency if Composio's rate limit allows"
        return Finding(name, "note", f"{facts.queued} messages are queued", remedy)
    return Finding(name, "ok", f"the worker takes messages; {facts.queued} queued")


def _dead_letter_queue(facts: Facts) -> Finding:
    name = "dead-letter queue"
    if isinstance(facts.dead, Trouble):
        return _unread(name, facts.dead)
    if facts.dead:
        remedy = "provisioner dead-letters show; the worker's log says why they failed"
        return Finding(name, "error", f"it holds {facts.dead} messages", remedy)
    return Finding(name, "ok", "it is empty")


def _sweep(facts: Facts) -> Finding:
    name = "sweep"
    if facts.schedule is False:
        remedy = "aws events enable-rule --name (output SweepRuleName)"
        return Finding(name, "error", "the schedule of the sweep is disabled", remedy)
    if isinstance(facts.schedule, Trouble) or isinstance(facts.swept, Trouble):
        return _unread(name, facts.schedule, facts.swept)
    if isinstance(facts.accounts, Trouble) and not facts.composio:
        return _unread(name, facts.accounts)
    if facts.swept is None:
        return Finding(name, "note", "no sweep has run yet", "run this again in two minutes")
    began, active = max(0, facts.swept.began), facts.swept.active
    message = f"the last complete pass began {began} s ago"
    if active > SWEEP_SECONDS:
        message = f"no pass has been active for {active} s"
    elif began <= SWEEP_SECONDS:
        return Finding(name, "ok", message)
    elif began <= LONGEST_PASS_SECONDS:
        remedy = "with very many users a pass takes this long; otherwise read the worker's log"
        return Finding(name, "note", message, remedy)
    return Finding(name, "error", message, "fix what is wrong above, then read the worker's log")


def _clock(facts: Facts) -> Finding:
    off = {name: offset for name, offset in facts.clocks.items() if abs(offset) > SKEW_SECONDS}
    if off:
        message = ", ".join(
            f"{name} is {offset:+.0f} s from this machine" for name, offset in off.items()
        )
        return Finding("clocks", "error", message, "set this machine's clock (NTP)")
    return Finding("clocks", "ok", f"{_all(facts.clocks)} agree with this machine")


def _deprecation(facts: Facts) -> Finding:
    name = "deprecation"
    if isinstance(facts.deprecated, Trouble):
        return _unread(name, facts.deprecated, level="note")
    if facts.deprecated:
        message = "; ".join(f"{path}: {text}" for path, text in facts.deprecated.items())
        remedy = "look for a newer release of this project before that date"
        return Finding(name, "error", message, remedy)
    return Finding(name, "ok", "Composio marks no endpoint that is used as deprecated")


def _all(names: Iterator[str] | Mapping[str, object] | frozenset[str]) -> str:
    return " and ".join(sorted(names))
