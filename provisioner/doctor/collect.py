"""Collects the facts that `doctor` judges; a fact that cannot be read says why."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from handler.paging import Place
from handler.transport import Unavailable, segment
from handler.values import Target
from provisioner import activity, secret, subscription
from provisioner.doctor.facts import Facts
from provisioner.errors import EXPECTED, Trouble, explained
from provisioner.secret import Secret
from provisioner.stack import THREADS, Stack, soon

_MCP = "/api/v3/mcp/servers"
_PERMISSIONS = {
    "servers": "mcp_servers: write",
    "accounts": "connected_accounts: read",
    "auth_configs": "auth_configs: read",
    "subscription": "webhooks: write",
    "offered": "webhooks: read",
}
"""What the API key needs for a fact."""


def collect(stack: Stack, *, clock: Callable[[], float] = time.time) -> Facts:
    """Collect the facts; `clock` is this machine's, in Unix seconds."""
    held = _ask(lambda: secret.read(stack))
    sound = held if isinstance(held, Secret) else None
    composio, key_rejected, response = _reach(stack)
    clocks = _clocks(stack, response, clock)
    questions: dict[str, Callable[[], Any]] = {
        "servers": lambda: _servers(stack),
        "accounts": lambda: _accounts(stack),
        "auth_configs": lambda: frozenset(stack.composio.toolkits(deadline=soon())),
        "subscription": lambda: subscription.current(stack.transport),
        "offered": lambda: tuple(subscription.offered(stack.transport)),
        "deprecated": lambda: _deprecated(stack, response),
        "queued": stack.queue.depth,
        "worker_takes": lambda: _worker_takes(stack),
        "dead": lambda: activity.waiting_messages(stack, "DeadLetterQueueUrl"),
        "schedule": lambda: _schedule(stack),
        "swept": lambda: activity.swept(stack, clock()),
    }
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(_ask, questions.values(), map(_PERMISSIONS.get, questions))
        answers = dict(zip(questions, found, strict=True))
    return Facts(
        webhook_url=stack.webhook_url,
        has_api_key=sound.has_api_key if sound else held,
        webhook_secrets=sound.webhook_secrets if sound else (),
        secret_flaws=sound.flaws if sound else (),
        composio=composio,
        key_rejected=key_rejected,
        clocks=clocks,
        **answers,
    )


def _ask(question: Callable[[], Any], permission: str | None = None) -> Any:  # noqa: ANN401 - whatever it returns
    try:
        return question()
    except EXPECTED as error:
        trouble = explained(error)
        if permission and isinstance(error, Unavailable) and error.problem.status == 403:
            trouble.remedy = f"give the API key {permission}"
        return trouble


def _reach(stack: Stack) -> tuple[str, bool, httpx.Response | None]:
    """Return why Composio cannot be asked ("" if it can), whether for the key, and an answer."""
    try:
        response = stack.transport.send("GET", _MCP, soon(), params={"limit": 1})
    except Unavailable as error:
        return error.problem.message, False, None
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return "HTTP 401", True, response
    if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return f"HTTP {response.status_code}", False, response
    return "", False, response


def _servers(stack: Stack) -> Mapping[str, Target]:
    if stack.enrolled is None:
        return stack.composio.list_servers(deadline=soon())
    return {one: stack.composio.get_server(one, deadline=soon()) for one in sorted(stack.enrolled)}


def _accounts(stack: Stack) -> bool:
    """Whether there are active accounts, by their first page."""
    _, found = next(stack.composio.active_accounts(Place(), deadline=soon()))
    return bool(found)


def _deprecated(stack: Stack, first: httpx.Response | None) -> dict[str, str]:
    """Return what the headers of the MCP endpoints say, by path.

    Create-instance is not called for that: its list of instances has the same path.
    """
    responses = {} if first is None else {_MCP: first}
    for server in stack.catalog.known().servers[:1]:
        path = f"{_MCP}/{segment(server.id)}/instances"
        responses[path] = stack.transport.send("GET", path, soon(), params={"limit": 1})
    return {path: text for path, one in responses.items() if (text := _deprecation(one))}


def _deprecation(response: httpx.Response) -> str:
    if response.status_code == httpx.codes.GONE:
        return "gone (410)"
    names = ("deprecation", "sunset")
    return ", ".join(f"{n} {response.headers[n]}" for n in names if n in response.headers)


def _worker_takes(stack: Stack) -> bool:
    # By the queue: the mapping belongs to the worker's alias, and is not listed under its name.
    attributes = _queue(stack)["Attributes"]
    listed = stack.functions.list_event_source_mappings(EventSourceArn=attributes["QueueArn"])
    states = {mapping.get("State") for mapping in listed["EventSourceMappings"]}
    return bool(states & {"Enabled", "Enabling", "Creating", "Updating"})


def _schedule(stack: Stack) -> bool:
    rule = stack.events.describe_rule(Name=stack.outputs["SweepRuleName"])
    return rule["State"] != "DISABLED"


def _clocks(
    stack: Stack, response: httpx.Response | None, clock: Callable[[], float]
) -> dict[str, float]:
    aws = _ask(lambda: _queue(stack)["ResponseMetadata"]["HTTPHeaders"])
    headers = {} if isinstance(aws, Trouble) else {"AWS": aws}
    if response is not None:
        headers["Composio"] = response.headers
    return {name: _offset(each, clock) for name, each in headers.items()}


def _queue(stack: Stack) -> Any:  # noqa: ANN401 - boto3's own
    url = stack.outputs["QueueUrl"]
    return stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])


def _offset(headers: Mapping[str, str], clock: Callable[[], float]) -> float:
    """Return how far the sender's clock is ahead; its header has whole seconds."""
    if "date" not in headers:
        return 0
    return parsedate_to_datetime(headers["date"]).timestamp() - clock()
