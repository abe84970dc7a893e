"""Gathers what `doctor` judges; each fact says why where it could not be had."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from handler.catalog_table import WATERMARK_KEY
from handler.transport import Unavailable, segment
from handler.values import Server
from provisioner import secret, subscription
from provisioner.doctor.facts import Facts, Swept
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


def examine(stack: Stack, *, clock: Callable[[], float] = time.time) -> Facts:
    """Look at everything; `clock` is this machine's, in Unix seconds."""
    kept = _had(lambda: secret.read(stack))
    sound = kept if isinstance(kept, Secret) else None
    composio, key_rejected, response = _reach(stack)
    clocks = _clocks(stack, response, clock)
    questions: dict[str, Callable[[], Any]] = {
        "servers": lambda: _servers(stack),
        "accounts": lambda: any(stack.composio.active_accounts("", deadline=soon())),
        "auth_configs": lambda: frozenset(stack.composio.toolkits(deadline=soon())),
        "subscription": lambda: subscription.current(stack.transport),
        "offered": lambda: tuple(subscription.offered(stack.transport)),
        "deprecated": lambda: _deprecated(stack, response),
        "queued": stack.queue.depth,
        "worker_takes": lambda: _worker_takes(stack),
        "dead": lambda: queued(stack, "DeadLetterQueueUrl"),
        "schedule": lambda: _schedule(stack),
        "swept": lambda: swept(stack, clock()),
    }
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(_had, questions.values(), map(_PERMISSIONS.get, questions))
        answers = dict(zip(questions, found, strict=True))
    return Facts(
        webhook_url=stack.webhook_url,
        has_api_key=sound.has_api_key if sound else kept,
        webhook_secrets=sound.webhook_secrets if sound else (),
        composio=composio,
        key_rejected=key_rejected,
        clocks=clocks,
        **answers,
    )


def queued(stack: Stack, output: str) -> int:
    """Return about how many messages of a queue (the output with its URL) can be received."""
    answer = stack.sqs.get_queue_attributes(
        QueueUrl=stack.outputs[output], AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def swept(stack: Stack, now: float) -> Swept | None:
    """Return what the sweep has last done, seen at this Unix time; None before its first pass."""
    for row in stack.table.partition(WATERMARK_KEY["pk"]):
        began = int(row["read_until"])
        return Swept(int(now) - began, int(now) - max(began, row.get("lease_until", 0)))
    return None


def _had(question: Callable[[], Any], permission: str | None = None) -> Any:  # noqa: ANN401 - whatever it returns
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
    except Unavailable as nothing:
        return nothing.problem.message, False, None
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return "HTTP 401", True, response
    if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return f"HTTP {response.status_code}", False, response
    return "", False, response


def _servers(stack: Stack) -> Mapping[str, Server]:
    if stack.enrolled is None:
        return stack.composio.list_servers(deadline=soon())
    return {one: stack.composio.get_server(one, deadline=soon()) for one in sorted(stack.enrolled)}


def _deprecated(stack: Stack, first: httpx.Response | None) -> dict[str, str]:
    """Return what the MCP endpoints' headers say, by path.

    Create-instance is not called for that: its list of instances stands under the same path.
    """
    found = {} if first is None else {_MCP: first}
    for one in stack.catalog.known().servers[:1]:
        path = f"{_MCP}/{segment(one.id)}/instances"
        found[path] = stack.transport.send("GET", path, soon(), params={"limit": 1})
    return {path: text for path, response in found.items() if (text := _outdated(response))}


def _outdated(response: httpx.Response) -> str:
    if response.status_code == httpx.codes.GONE:
        return "gone (410)"
    names = ("deprecation", "sunset")
    said = [f"{name} {response.headers[name]}" for name in names if name in response.headers]
    return ", ".join(said)


def _worker_takes(stack: Stack) -> bool:
    # By the queue: the worker's mapping is its alias's, and not listed under its name.
    attributes = _queue(stack)["Attributes"]
    listed = stack.functions.list_event_source_mappings(EventSourceArn=attributes["QueueArn"])
    states = {one.get("State") for one in listed["EventSourceMappings"]}
    return bool(states & {"Enabled", "Enabling", "Creating", "Updating"})


def _schedule(stack: Stack) -> bool:
    found = stack.events.describe_rule(Name=stack.outputs["SweepRuleName"])
    return found["State"] != "DISABLED"


def _clocks(
    stack: Stack, response: httpx.Response | None, clock: Callable[[], float]
) -> dict[str, float]:
    asked = _had(lambda: _queue(stack)["ResponseMetadata"]["HTTPHeaders"])
    found = {} if isinstance(asked, Trouble) else {"AWS": asked}
    if response is not None:
        found["Composio"] = response.headers
    return {name: _offset(headers, clock) for name, headers in found.items()}


def _queue(stack: Stack) -> Any:  # noqa: ANN401 - boto3's own
    url = stack.outputs["QueueUrl"]
    return stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])


def _offset(headers: Mapping[str, str], clock: Callable[[], float]) -> float:
    """Return how far the sender's clock is ahead; its header has whole seconds."""
    if "date" not in headers:
        return 0
    return parsedate_to_datetime(headers["date"]).timestamp() - clock()
