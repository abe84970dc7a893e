"""What follows from what AWS says."""

from provisioner.doctor.facts import EventSource, Facts, Finding, Rule, unread
from provisioner.errors import Trouble
from provisioner.releases import order

SWEEP_SECONDS, LONGEST_PASS_SECONDS = 300, 3600
"""The sweep begins a pass each minute; with very many users a pass may take up to the second."""
SKEW_SECONDS = 60
"""A signature is valid for 300 s either way; a clock that is off by a minute drifts further."""
LONG_QUEUE = 1000
MANY_REJECTED = 20
PARAMETERS = {
    "BrandLogoUrl": "BRAND_LOGO_URL",
    "BrandName": "BRAND_NAME",
    "ComposioBaseUrl": "COMPOSIO_BASE_URL",
    "ConnectStart": "CONNECT_START",
    "LogUserIds": "LOG_USER_IDS",
    "McpServerIds": "MCP_SERVER_IDS",
    "PublicUrl": "PUBLIC_URL",
    "Release": "RELEASE",
    "ReturnUrl": "RETURN_URL",
    "SupportUrl": "SUPPORT_URL",
}
"""The parameters that the functions read, by the names in their environment."""


def version(facts: Facts) -> Finding:
    """Judge whether stack and command line are of one release."""
    name, own = "version", facts.own_version
    if facts.version is None:
        return Finding(name, "note", "the stack is older than this command line", "sam deploy")
    if own is not None and own != facts.version:
        message = f"the stack is {facts.version}, this command line is {own}"
        return Finding(name, "note", message, "sam deploy the same release, or install the other")
    return Finding(name, "ok", facts.version)


def newer(facts: Facts) -> Finding:
    """Judge whether there is a newer release than this command line."""
    name, own = "newer release", facts.own_version or ""
    if isinstance(facts.newest, Trouble):
        return unread(name, facts.newest, level="note")
    if order(facts.newest or "") > order(own):
        remedy = "read its changelog, then docs/operations.md, Deploy"
        return Finding(name, "note", f"{facts.newest} is there", remedy)
    return Finding(name, "ok", "there is none")


def release(facts: Facts) -> Finding:
    """Judge whether the versions that run have the parameters of the stack."""
    name = "release"
    if isinstance(facts.environments, Trouble):
        return unread(name, facts.environments)
    different = {
        f"{parameter} of the {function}"
        for function, environment in facts.environments.items()
        for parameter, variable in PARAMETERS.items()
        if environment.get(variable, "") != facts.parameters.get(parameter, "")
    }
    if different:
        message = f"what runs does not have the stack's {', '.join(sorted(different))}"
        remedy = (
            "wait for the rollout, or give Release another value (samconfig.toml) and sam deploy"
        )
        return Finding(name, "error", message, remedy)
    return Finding(name, "ok", f"what runs is Release {facts.parameters.get('Release')}")


def secret(facts: Facts) -> Finding:
    """Judge what the secret holds."""
    name = "secret"
    if isinstance(facts.has_api_key, Trouble):
        return unread(name, facts.has_api_key)
    if facts.secret_flaws:
        message = f"not used: {'; '.join(facts.secret_flaws)}"
        return Finding(name, "error", message, facts.init)
    if not facts.has_api_key:
        return Finding(name, "error", "the secret holds no Composio API key", facts.init)
    if not facts.webhook_secrets:
        remedy = f"{facts.commands.provisioner} connect-webhook"
        return Finding(name, "error", "no webhook secret: every delivery is rejected", remedy)
    number = len(facts.webhook_secrets)
    return Finding(name, "ok", f"an API key and {number} webhook secret{'s'[: number > 1]}")


def deliveries(facts: Facts) -> Finding:
    """Judge what was rejected at the webhook lately: somebody may sign with another secret."""
    name = "deliveries"
    if isinstance(facts.rejected, Trouble):
        return unread(name, facts.rejected, level="note")
    if facts.rejected:
        number = sum(facts.rejected.values())
        reasons = "; ".join(f"{reason} ({count})" for reason, count in facts.rejected.items())
        message = f"{number} rejected in the last hour: {reasons}"
        remedy = "if it is a sender of yours, give it an accepted webhook secret and a right clock"
        return Finding(name, "error" if number > MANY_REJECTED else "note", message, remedy)
    return Finding(name, "ok", "none was rejected in the last hour")


def account_events(facts: Facts) -> Finding:
    """Judge whether events of the bus reach the queue."""
    name, rule = "event bus", facts.account_rule
    if isinstance(rule, Trouble):
        return unread(name, rule)
    if not rule.enabled:
        return _disabled(facts, name, rule, "account events are not taken from the bus")
    return Finding(name, "ok", f"account events are taken from the bus {rule.bus}")


def queue(facts: Facts) -> Finding:
    """Judge whether the worker takes what is queued."""
    name = "queue"
    if isinstance(facts.queued, Trouble) or isinstance(facts.worker, Trouble):
        return unread(name, facts.queued, facts.worker)
    if not facts.worker.enabled:
        message = f"the worker takes no messages; {facts.queued} queued"
        return Finding(name, "error", message, _enable(facts, facts.worker))
    if facts.queued >= LONG_QUEUE:
        remedy = "wait, or deploy with more WorkerConcurrency if Composio's rate limit allows"
        return Finding(name, "note", f"{facts.queued} messages are queued", remedy)
    return Finding(name, "ok", f"the worker takes messages; {facts.queued} queued")


def dead_letter_queue(facts: Facts) -> Finding:
    """Judge whether anything has failed for good."""
    name = "dead-letter queue"
    if isinstance(facts.dead, Trouble):
        return unread(name, facts.dead)
    if facts.dead:
        remedy = f"{facts.commands.provisioner} dead-letters show"
        return Finding(name, "error", f"it holds {facts.dead} messages", remedy)
    return Finding(name, "ok", "it is empty")


def sweep(facts: Facts) -> Finding:
    """Judge whether the sweep runs, and comes to its end."""
    name, rule = "sweep", facts.sweep_rule
    if isinstance(rule, Rule) and not rule.enabled:
        return _disabled(facts, name, rule, "the sweep is not scheduled")
    if isinstance(rule, Trouble) or isinstance(facts.swept, Trouble):
        return unread(name, rule, facts.swept)
    if isinstance(facts.followers, Trouble) and not facts.composio:
        return unread(name, facts.followers)
    if facts.swept is None:
        return Finding(name, "note", "no sweep has run yet", "run this again in two minutes")
    began, active = max(0, facts.swept.began), facts.swept.active
    message = f"the last complete pass began {began} s ago"
    if active > SWEEP_SECONDS:
        message = f"no pass has been active for {active} s"
    elif began <= SWEEP_SECONDS:
        return Finding(name, "ok", message)
    elif began <= LONGEST_PASS_SECONDS:
        remedy = f"with very many users a pass takes this long; otherwise {facts.log('Worker')}"
        return Finding(name, "note", message, remedy)
    return Finding(
        name, "error", message, f"fix what is wrong elsewhere, then {facts.log('Worker')}"
    )


def recursion(facts: Facts) -> Finding:
    """Judge whether Lambda lets the worker hand work on to itself."""
    name = "recursion"
    if isinstance(facts.recursion, Trouble):
        return unread(name, facts.recursion, level="note")
    if facts.recursion != "Allow":
        remedy = (
            f"{facts.commands.aws} lambda put-function-recursion-config"
            f" --function-name {facts.outputs['WorkerFunctionName']} --recursive-loop Allow"
        )
        return Finding(name, "error", "Lambda stops a sweep that hands its work on", remedy)
    return Finding(name, "ok", "Lambda lets the worker hand its work on")


def announcer(facts: Facts) -> Finding:
    """Judge whether outcomes are announced."""
    name, source = "announcer", facts.announcer
    if isinstance(source, Trouble):
        return unread(name, source)
    if not source.enabled:
        return Finding(name, "error", "outcomes are not announced", _enable(facts, source))
    if source.result.startswith("PROBLEM"):
        remedy = (
            f"is the bus there, and does its policy let the announcer in? {facts.log('Announcer')}"
        )
        return Finding(name, "error", f"outcomes are not announced: {source.result}", remedy)
    return Finding(name, "ok", "takes the outcomes from the table")


def clocks(facts: Facts) -> Finding:
    """Judge whether the clocks agree."""
    off = {name: offset for name, offset in facts.clocks.items() if abs(offset) > SKEW_SECONDS}
    if off:
        message = ", ".join(
            f"{name} is {offset:+.0f} s from this machine" for name, offset in off.items()
        )
        return Finding("clocks", "error", message, "set this machine's clock (NTP)")
    return Finding("clocks", "ok", f"{' and '.join(facts.clocks)} agree with this machine")


def _enable(facts: Facts, source: EventSource) -> str:
    if not source.uuid:
        return "its event source mapping is gone: sam deploy"
    command = "lambda update-event-source-mapping --enabled --uuid"
    return f"{facts.commands.aws} {command} {source.uuid}"


def _disabled(facts: Facts, name: str, rule: Rule, message: str) -> Finding:
    if not rule.name:
        return Finding(name, "error", f"{message}: the rule is gone", "sam deploy")
    command = f"events enable-rule --name {rule.name} --event-bus-name {rule.bus}"
    return Finding(
        name, "error", f"{message}: the rule is disabled", f"{facts.commands.aws} {command}"
    )
