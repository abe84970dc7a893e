"""What follows from the facts, purely: one finding for each check, with what to do about it."""

from collections.abc import Callable, Iterator
from functools import partial

from provisioner.doctor import judge_aws, judge_composio
from provisioner.doctor.facts import Facts, Finding, Verdict
from provisioner.errors import Trouble
from provisioner.subscription import Subscription

type Check = Callable[[Facts], Verdict]

_CAN_BE_SKIPPED = {
    "newer release", "auth configs", "event types", "deliveries", "recursion", "deprecation"
}  # fmt: skip
"""Checks whose facts may be unreadable without that being an error."""


def judge(facts: Facts) -> Iterator[Finding]:
    """Yield the findings; what the others depend on comes first."""
    for name, check in _checks(facts):
        try:
            level, message, remedy = check(facts)
        except Trouble as unread:
            level = "note" if name in _CAN_BE_SKIPPED else "error"
            message, remedy = str(unread), unread.remedy
        yield Finding(name, level, message, remedy)


def _checks(facts: Facts) -> Iterator[tuple[str, Check]]:
    yield "version", judge_aws.version
    if facts.newest is not None:
        yield "newer release", judge_aws.newer
    yield "release", judge_aws.release
    yield "secret", judge_aws.secret
    if facts.has_api_key is True:
        yield "Composio", judge_composio.composio
    asked = facts.has_api_key is True and not facts.composio
    if asked:
        yield "MCP servers", judge_composio.servers
        if not isinstance(facts.servers, Trouble):
            yield "auth configs", judge_composio.auth_configs
        if facts.profiles:
            yield "sessions", judge_composio.sessions
        yield "event types", judge_composio.events
        yield "webhook", judge_composio.webhook
        if isinstance(facts.subscription, Subscription):
            yield "signing", partial(judge_composio.signing, subscription=facts.subscription)
    yield "deliveries", judge_aws.deliveries
    yield "event bus", judge_aws.account_events
    yield "queue", judge_aws.queue
    yield "dead-letter queue", judge_aws.dead_letter_queue
    yield "sweep", judge_aws.sweep
    if facts.recursion is not None:
        yield "recursion", judge_aws.recursion
    yield "announcer", judge_aws.announcer
    if facts.clocks:
        yield "clocks", judge_aws.clocks
    if asked:
        yield "deprecation", judge_composio.deprecation
