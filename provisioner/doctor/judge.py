"""What follows from the facts, purely: one finding for each check, with what to do about it."""

from collections.abc import Iterator

from provisioner.doctor import judge_aws, judge_composio
from provisioner.doctor.facts import Facts, Finding
from provisioner.errors import Trouble
from provisioner.subscription import Subscription


def judge(facts: Facts) -> Iterator[Finding]:
    """Yield the findings; what the others depend on comes first."""
    yield judge_aws.version(facts)
    if facts.newest is not None:
        yield judge_aws.newer(facts)
    yield judge_aws.release(facts)
    yield judge_aws.secret(facts)
    if facts.has_api_key is True:
        yield judge_composio.composio(facts)
    asked = facts.has_api_key is True and not facts.composio
    if asked:
        yield judge_composio.servers(facts)
        if not isinstance(facts.servers, Trouble):
            yield judge_composio.auth_configs(facts, facts.servers)
        if facts.profiles:
            yield judge_composio.sessions(facts)
        yield judge_composio.events(facts)
        yield judge_composio.webhook(facts)
        if isinstance(facts.subscription, Subscription):
            yield judge_composio.signing(facts, facts.subscription)
    yield judge_aws.deliveries(facts)
    yield judge_aws.account_events(facts)
    yield judge_aws.queue(facts)
    yield judge_aws.dead_letter_queue(facts)
    yield judge_aws.sweep(facts)
    if facts.recursion is not None:
        yield judge_aws.recursion(facts)
    yield judge_aws.announcer(facts)
    if facts.clocks:
        yield judge_aws.clocks(facts)
    if asked:
        yield judge_composio.deprecation(facts)
