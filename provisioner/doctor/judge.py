"""What `doctor` makes of what it found, purely: facts in, findings out, each with what to do."""

from collections.abc import Iterator, Mapping
from typing import Literal

from handler.values import Server
from provisioner.doctor.facts import Facts, Finding
from provisioner.errors import Trouble
from provisioner.subscription import Subscription, lacking

SWEEP_SECONDS, LONGEST_PASS_SECONDS = 300, 3600
"""The sweep begins a pass each minute; with very many users one takes longer than the first."""
SKEW_SECONDS = 60
"""A signature holds for 300 s either way; a clock that is off by a minute will not stop there."""
LONG_QUEUE = 1000
FILL = "fill the secret (README, Deploy, step 1)"
CONNECT = "provisioner connect-webhook"


def findings(facts: Facts) -> Iterator[Finding]:
    """Yield the findings, what the others rest on first."""
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


def _not_had(name: str, *facts: object, level: Literal["note", "bad"] = "bad") -> Finding:
    """Say which of the facts could not be had, with its own remedy."""
    why = next(one for one in facts if isinstance(one, Trouble))
    return Finding(name, level, str(why), why.remedy)


def _secret(facts: Facts) -> Finding:
    name = "secret"
    if isinstance(facts.has_api_key, Trouble):
        return _not_had(name, facts.has_api_key)
    if not facts.has_api_key:
        return Finding(name, "bad", "the secret holds no Composio API key", FILL)
    if not facts.webhook_secrets:
        return Finding(name, "bad", "no webhook secret: every delivery is turned away", CONNECT)
    number = len(facts.webhook_secrets)
    return Finding(name, "ok", f"an API key, and {number} webhook secret{'s'[: number > 1]}")


def _composio(facts: Facts) -> Finding:
    if facts.key_rejected:
        said = "Composio rejects the API key"
        return Finding("Composio", "bad", said, f"make a new key at Composio, then {FILL}")
    if facts.composio:
        remedy = "check ComposioBaseUrl and status.composio.dev; the sweep catches up by itself"
        return Finding("Composio", "bad", f"Composio cannot be asked: {facts.composio}", remedy)
    return Finding("Composio", "ok", "accepts the API key")


def _servers(facts: Facts) -> Finding:
    name = "MCP servers"
    if isinstance(facts.servers, Trouble):
        return _not_had(name, facts.servers)
    servers = facts.servers.values()
    gone = sorted(one.id for one in servers if one.gone)
    if gone:
        remedy = "take it out of McpServerIds (sam deploy), or make it at Composio"
        return Finding(name, "bad", f"Composio does not know {', '.join(gone)}", remedy)
    idle = sorted(one.id for one in servers if not one.required)
    if idle or not servers:
        said = f"no auth config: {', '.join(idle)}" if idle else "the project has no MCP server"
        return Finding(name, "note", said, "add auth configs to it at Composio")
    said = ", ".join(f"{one.id} requires {' and '.join(sorted(one.required))}" for one in servers)
    return Finding(name, "ok", said)


def _auth_configs(facts: Facts, servers: Mapping[str, Server]) -> Finding:
    name = "auth configs"
    if isinstance(facts.auth_configs, Trouble):
        return _not_had(name, facts.auth_configs, level="note")
    required = frozenset[str]().union(*(one.required for one in servers.values()))
    lost = sorted(required - facts.auth_configs)
    if lost:
        remedy = "make it again at Composio, or take it off the MCP server"
        return Finding(name, "bad", f"required, but not there: {', '.join(lost)}", remedy)
    return Finding(name, "ok", f"all {len(required)} that are required are there")


def _events(facts: Facts) -> Finding:
    name = "event types"
    if isinstance(facts.offered, Trouble):
        return _not_had(name, facts.offered, level="note")
    told = ", ".join(one.rpartition(".")[2] for one in facts.offered) or "none"
    if any(not one.endswith(".expired") for one in facts.offered):
        return Finding(name, "ok", f"Composio tells of accounts: {told}")
    said = f"Composio tells of accounts: {told}; the sweep finds those that turn ACTIVE"
    return Finding(name, "note", said, "to be faster, use CallbackUrl or send events (README)")


def _webhook(facts: Facts) -> Finding:
    name, found = "webhook", facts.subscription
    if isinstance(found, Trouble):
        return _not_had(name, found)
    if found is None:
        return Finding(name, "bad", "Composio has no webhook subscription", CONNECT)
    offered = [] if isinstance(facts.offered, Trouble) else list(facts.offered)
    changes = lacking(found, facts.webhook_url, offered)
    if "webhook_url" in changes:
        said = f"the subscription goes elsewhere: {found.webhook_url}"
        return Finding(name, "bad", said, f"{CONNECT} (it asks before it takes it over)")
    if changes:
        lost = sorted(set(offered) - set(found.enabled_events))
        said = f"the subscription lacks {', '.join(lost) or 'payload version V3'}"
        return Finding(name, "bad", said, CONNECT)
    return Finding(name, "ok", "the subscription comes here, with every account event")


def _signing(facts: Facts, found: Subscription) -> Finding:
    name = "signing"
    if not found.secret:
        return Finding(name, "note", "Composio hides its webhook secret", "provisioner send")
    if found.secret not in facts.webhook_secrets:
        return Finding(name, "bad", "Composio's webhook secret is not accepted", CONNECT)
    return Finding(name, "ok", "Composio's webhook secret is accepted")


def _queue(facts: Facts) -> Finding:
    name = "queue"
    if isinstance(facts.queued, Trouble) or isinstance(facts.worker_takes, Trouble):
        return _not_had(name, facts.queued, facts.worker_takes)
    if not facts.worker_takes:
        remedy = "aws lambda update-event-source-mapping --enabled --uuid (of the worker's queue)"
        return Finding(name, "bad", f"the worker takes nothing; {facts.queued} queued", remedy)
    if facts.queued >= LONG_QUEUE:
        remedy = "wait, or deploy with more WorkerConcurrency if Composio's rate limit allows"
        return Finding(name, "note", f"{facts.queued} messages are queued", remedy)
    return Finding(name, "ok", f"the worker takes messages; {facts.queued} queued")


def _dead_letter_queue(facts: Facts) -> Finding:
    name = "dead-letter queue"
    if isinstance(facts.dead, Trouble):
        return _not_had(name, facts.dead)
    if facts.dead:
        remedy = "read the worker's log, mend the cause, then provisioner redrive"
        return Finding(name, "bad", f"{facts.dead} messages are in it", remedy)
    return Finding(name, "ok", "it is empty")


def _sweep(facts: Facts) -> Finding:
    name = "sweep"
    if facts.schedule is False:
        remedy = "aws events enable-rule --name (output SweepRuleName)"
        return Finding(name, "bad", "the schedule of the sweep is disabled", remedy)
    if isinstance(facts.schedule, Trouble) or isinstance(facts.swept, Trouble):
        return _not_had(name, facts.schedule, facts.swept)
    if isinstance(facts.accounts, Trouble) and not facts.composio:
        return _not_had(name, facts.accounts)
    if facts.swept is None:
        return Finding(name, "note", "no sweep has begun yet", "wait two minutes, and look again")
    began, at_work = max(0, facts.swept.began), facts.swept.at_work
    said = f"the last that reached its end began {began} s ago"
    if at_work > SWEEP_SECONDS:
        said = f"no sweep has been at work for {at_work} s"
    elif began <= SWEEP_SECONDS:
        return Finding(name, "ok", said)
    elif began <= LONGEST_PASS_SECONDS:
        remedy = "with very many users a pass takes so long; else read the worker's log"
        return Finding(name, "note", said, remedy)
    return Finding(name, "bad", said, "mend what is bad above, then read the worker's log")


def _clock(facts: Facts) -> Finding:
    off = {name: offset for name, offset in facts.clocks.items() if abs(offset) > SKEW_SECONDS}
    if off:
        said = ", ".join(f"{name} is {one:+.0f} s from this machine" for name, one in off.items())
        return Finding("clocks", "bad", said, "set this machine's clock (NTP); signatures carry it")
    return Finding("clocks", "ok", f"{' and '.join(facts.clocks)} agree with this machine")


def _deprecation(facts: Facts) -> Finding:
    name = "deprecation"
    if isinstance(facts.deprecated, Trouble):
        return _not_had(name, facts.deprecated, level="note")
    if facts.deprecated:
        said = "; ".join(f"{path}: {text}" for path, text in facts.deprecated.items())
        remedy = "look for a newer release of this project before the day it goes"
        return Finding(name, "bad", said, remedy)
    return Finding(name, "ok", "Composio calls no endpoint that is used deprecated")
