"""What follows from what AWS says."""

from provisioner.doctor.facts import EventSource, Facts, Rule, Verdict, error, known, note, ok
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


def version(facts: Facts) -> Verdict:
    """Judge whether stack and command line are of one release."""
    own = facts.own_version
    if facts.version is None:
        return note("the stack is older than this command line", "sam deploy")
    if own is not None and own != facts.version:
        message = f"the stack is {facts.version}, this command line is {own}"
        return note(message, "sam deploy the same release, or install the other")
    return ok(facts.version)


def newer(facts: Facts) -> Verdict:
    """Judge whether there is a newer release than this command line."""
    newest = known(facts.newest) or ""
    if order(newest) > order(facts.own_version or ""):
        return note(f"{newest} is there", "read its changelog, then docs/operations.md, Deploy")
    return ok("there is none")


def release(facts: Facts) -> Verdict:
    """Judge whether the versions that run have the parameters of the stack."""
    different = {
        f"{parameter} of the {function}"
        for function, environment in known(facts.environments).items()
        for parameter, variable in PARAMETERS.items()
        if environment.get(variable, "") != facts.parameters.get(parameter, "")
    }
    if different:
        return error(
            f"what runs does not have the stack's {', '.join(sorted(different))}",
            "wait for the rollout, or give Release another value (samconfig.toml) and sam deploy",
        )
    return ok(f"what runs is Release {facts.parameters.get('Release')}")


def secret(facts: Facts) -> Verdict:
    """Judge what the secret holds."""
    has_api_key, number = known(facts.has_api_key), len(facts.webhook_secrets)
    if facts.secret_flaws:
        return error(f"not used: {'; '.join(facts.secret_flaws)}", facts.init)
    if not has_api_key:
        return error("the secret holds no Composio API key", facts.init)
    if not number:
        connect = f"{facts.commands.provisioner} connect-webhook"
        return error("no webhook secret: every delivery is rejected", connect)
    return ok(f"an API key and {number} webhook secret{'s'[: number > 1]}")


def deliveries(facts: Facts) -> Verdict:
    """Judge what was rejected at the webhook lately: somebody may sign with another secret."""
    rejected = known(facts.rejected)
    if not rejected:
        return ok("none was rejected in the last hour")
    number = sum(rejected.values())
    reasons = "; ".join(f"{reason} ({count})" for reason, count in rejected.items())
    return (error if number > MANY_REJECTED else note)(
        f"{number} rejected in the last hour: {reasons}",
        "if it is a sender of yours, give it an accepted webhook secret and a right clock",
    )


def account_events(facts: Facts) -> Verdict:
    """Judge whether events of the bus reach the queue."""
    rule = known(facts.account_rule)
    if not rule.enabled:
        return _disabled(facts, rule, "account events are not taken from the bus")
    return ok(f"account events are taken from the bus {rule.bus}")


def queue(facts: Facts) -> Verdict:
    """Judge whether the worker takes what is queued."""
    queued, worker = known(facts.queued), known(facts.worker)
    if not worker.enabled:
        return error(f"the worker takes no messages; {queued} queued", _enable(facts, worker))
    if queued >= LONG_QUEUE:
        remedy = "wait, or deploy with more WorkerConcurrency if Composio's rate limit allows"
        return note(f"{queued} messages are queued", remedy)
    return ok(f"the worker takes messages; {queued} queued")


def dead_letter_queue(facts: Facts) -> Verdict:
    """Judge whether anything has failed for good."""
    if dead := known(facts.dead):
        show = f"{facts.commands.provisioner} dead-letters show"
        return error(f"it holds {dead} messages", show)
    return ok("it is empty")


def sweep(facts: Facts) -> Verdict:
    """Judge whether the sweep runs, and comes to its end."""
    rule = known(facts.sweep_rule)
    if not rule.enabled:
        return _disabled(facts, rule, "the sweep is not scheduled")
    swept = known(facts.swept)
    if not facts.composio:
        known(facts.followers)
    if swept is None:
        return note("no sweep has run yet", "run this again in two minutes")
    began, log = max(0, swept.began), facts.log("Worker")
    message = f"the last complete pass began {began} s ago"
    if swept.active > SWEEP_SECONDS:
        message = f"no pass has been active for {swept.active} s"
    elif began <= SWEEP_SECONDS:
        return ok(message)
    elif began <= LONGEST_PASS_SECONDS:
        return note(message, f"with very many users a pass takes this long; otherwise {log}")
    return error(message, f"fix what is wrong elsewhere, then {log}")


def recursion(facts: Facts) -> Verdict:
    """Judge whether Lambda lets the worker hand work on to itself."""
    if known(facts.recursion) != "Allow":
        remedy = (
            f"{facts.commands.aws} lambda put-function-recursion-config"
            f" --function-name {facts.outputs['WorkerFunctionName']} --recursive-loop Allow"
        )
        return error("Lambda stops a sweep that hands its work on", remedy)
    return ok("Lambda lets the worker hand its work on")


def announcer(facts: Facts) -> Verdict:
    """Judge whether outcomes are announced."""
    source = known(facts.announcer)
    if not source.enabled:
        return error("outcomes are not announced", _enable(facts, source))
    if source.result.startswith("PROBLEM"):
        ask = "is the bus there, and does its policy let the announcer in?"
        remedy = f"{ask} {facts.log('Announcer')}"
        return error(f"outcomes are not announced: {source.result}", remedy)
    return ok("takes the outcomes from the table")


def clocks(facts: Facts) -> Verdict:
    """Judge whether the clocks agree."""
    off = {name: offset for name, offset in facts.clocks.items() if abs(offset) > SKEW_SECONDS}
    if off:
        said = (f"{name} is {offset:+.0f} s from this machine" for name, offset in off.items())
        return error(", ".join(said), "set this machine's clock (NTP)")
    return ok(f"{' and '.join(facts.clocks)} agree with this machine")


def _enable(facts: Facts, source: EventSource) -> str:
    if not source.uuid:
        return "its event source mapping is gone: sam deploy"
    command = "lambda update-event-source-mapping --enabled --uuid"
    return f"{facts.commands.aws} {command} {source.uuid}"


def _disabled(facts: Facts, rule: Rule, message: str) -> Verdict:
    if not rule.name:
        return error(f"{message}: the rule is gone", "sam deploy")
    command = f"events enable-rule --name {rule.name} --event-bus-name {rule.bus}"
    return error(f"{message}: the rule is disabled", f"{facts.commands.aws} {command}")
