"""Collects the facts that `doctor` judges; a fact that cannot be read says why."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

from handler.targets import Target
from handler.transport import Unavailable
from provisioner import activity, enrolment, releases, secret, subscription
from provisioner.doctor import ask_aws, ask_composio
from provisioner.doctor.ask_composio import Reached
from provisioner.doctor.facts import Commands, Facts
from provisioner.errors import EXPECTED, Trouble, explained
from provisioner.secret import Secret
from provisioner.stack import THREADS, Stack, soon

_PERMISSIONS = {
    "servers": "mcp_servers: write",
    "sessions": "session management: write",
    "followers": "connected_accounts: read",
    "auth_configs": "auth_configs: read",
    "subscription": "webhooks: write",
    "offered": "webhooks: read",
}
"""What the API key needs for a fact."""
_MOST_PAGES = 10
"""Of accounts: how many follow is worth a second or two."""


def collect(stack: Stack, *, newer: bool = False, clock: Callable[[], float] = time.time) -> Facts:
    """Collect the facts, and of a `newer` release only where that is asked for.

    `clock` is this machine's, in Unix seconds.
    """
    held = _ask(lambda: secret.read(stack))
    sound = held if isinstance(held, Secret) else None
    reached = ask_composio.reach(stack)
    clocks = _clocks(stack, reached, clock)
    servers = _ask(lambda: ask_composio.servers(stack), _PERMISSIONS["servers"])
    profiles = _ask(lambda: stack.catalog_table.catalog().profiles)
    questions = _questions(stack, reached, clock) | {
        "followers": lambda: enrolment.followers(stack, _known(servers, profiles), _MOST_PAGES)
    }
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(_ask, questions.values(), map(_PERMISSIONS.get, questions))
        answers = dict(zip(questions, found, strict=True))
    return Facts(
        commands=Commands(stack.own_command, stack.aws_command),
        version=stack.outputs.get("Version"),
        own_version=releases.version(),
        newest=_ask(releases.newest) if newer else None,
        parameters=stack.parameters,
        outputs=stack.outputs,
        webhook_url=stack.webhook_url,
        has_api_key=sound.has_api_key if sound else held,
        webhook_secrets=sound.webhook_secrets if sound else (),
        secret_flaws=sound.flaws if sound else (),
        composio=reached.why_not,
        key_rejected=reached.key_rejected,
        servers=servers,
        profiles=profiles,
        clocks=clocks,
        **answers,
    )


def lacking(stack: Stack) -> Trouble | None:
    """Return what Composio refuses to the API key of the stack, if anything; it is only read."""
    questions: dict[str, Callable[[], Any]] = {
        "servers": lambda: stack.composio.list_servers(deadline=soon()),
        "followers": lambda: enrolment.followers(stack, [], 1),
        "auth_configs": lambda: stack.composio.toolkits(deadline=soon()),
        "subscription": lambda: subscription.current(stack.transport),
    }
    answers = (_ask(question, _PERMISSIONS[name]) for name, question in questions.items())
    found = [one for one in answers if isinstance(one, Trouble)]
    remedies = "; ".join(one.remedy for one in found)
    return Trouble(str(found[0]), remedies) if found else None


def _questions(
    stack: Stack, reached: Reached, clock: Callable[[], float]
) -> dict[str, Callable[[], Any]]:
    return {
        "environments": lambda: ask_aws.environments(stack),
        "recursion": lambda: ask_aws.recursion(stack),
        "sessions": lambda: ask_composio.sessions(stack),
        "auth_configs": lambda: frozenset(stack.composio.toolkits(deadline=soon())),
        "subscription": lambda: subscription.current(stack.transport),
        "offered": lambda: tuple(subscription.offered(stack.transport)),
        "deprecated": lambda: ask_composio.deprecated(stack, reached.response),
        "rejected": lambda: ask_aws.rejected(stack),
        "account_rule": lambda: ask_aws.rule(stack, stack.outputs["BusName"], "EventPattern"),
        "worker": lambda: ask_aws.event_source(stack, "WorkerFunctionName"),
        "announcer": lambda: ask_aws.event_source(stack, "AnnouncerFunctionName"),
        "queued": stack.services.queue.depth,
        "dead": lambda: activity.waiting_messages(stack, "DeadLetterQueueUrl"),
        "sweep_rule": lambda: ask_aws.rule(stack, "default", "ScheduleExpression"),
        "swept": lambda: activity.swept(stack, clock()),
    }


def _known(
    servers: Mapping[str, Target] | Trouble, profiles: tuple[Target, ...] | Trouble
) -> list[Target]:
    known = [] if isinstance(servers, Trouble) else [*servers.values()]
    return known if isinstance(profiles, Trouble) else [*known, *profiles]


def _ask(question: Callable[[], Any], permission: str | None = None) -> Any:  # noqa: ANN401 - whatever it returns
    try:
        return question()
    except EXPECTED as error:
        trouble = explained(error)
        if permission and isinstance(error, Unavailable) and error.problem.status == 403:
            trouble.remedy = f"give the API key {permission}"
        return trouble


def _clocks(stack: Stack, reached: Reached, clock: Callable[[], float]) -> dict[str, float]:
    aws = _ask(lambda: ask_aws.queue(stack)["ResponseMetadata"]["HTTPHeaders"])
    headers = {} if isinstance(aws, Trouble) else {"AWS": aws}
    if reached.response is not None:
        headers["Composio"] = reached.response.headers
    return {name: _offset(each, clock) for name, each in headers.items()}


def _offset(headers: Mapping[str, str], clock: Callable[[], float]) -> float:
    """Return how far the sender's clock is ahead; its header has whole seconds."""
    if "date" not in headers:
        return 0
    return parsedate_to_datetime(headers["date"]).timestamp() - clock()
