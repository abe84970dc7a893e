"""What duplicates, parallel deliveries and lost answers lead to: correctness beside speed.

The sender is Composio as documented: what is not answered 2xx is delivered again.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bench import samples
from bench.running import Function, Subject
from bench.setup import Setup

USERS = 5
ENVIRONMENTS = 4
DELIVERIES = 3
LATENCY = 0.05
"""Seconds that Composio takes; long enough that what is parallel overlaps."""


@dataclass(frozen=True)
class Came:
    """The outcome of a case over all users; `lost` counts instances that the table lacks."""

    posts_per_user: float
    called_at_once: int
    lost: int


def races(setup: Setup, subject: Subject) -> dict[str, Came]:
    """Try each case on users of their own, in parallel environments of the function."""
    cases: dict[str, tuple[str, Callable[[list[Function], str], None]]] = {
        "the last event twice": ("completing", _twice),
        "the last event four times at once": ("completing", _at_once),
        "both events at once": ("rejected", _both),  # the function has not heard of these users
        "the create call's answer is lost": ("completing", _lost_answer(setup)),
    }
    found = {}
    for case, (kind, play) in cases.items():
        setup.begin(subject, USERS)
        with ExitStack() as stack:
            functions = [stack.enter_context(setup.start(subject)) for _ in range(ENVIRONMENTS)]
            setup.composio.set_options(latency=LATENCY)
            for user in samples.users(kind, USERS):
                play(functions, user)
            setup.composio.set_options(latency=0)
        found[case] = _count(setup, samples.users(kind, USERS))
    return found


def _deliver(function: Function, user: str, auth_config_id: str = samples.SLACK) -> None:
    for _ in range(DELIVERIES):
        _, answer = function.send(samples.delivery(samples.envelope(user, auth_config_id)))
        if answer.get("statusCode") == 200:
            return


def _twice(functions: list[Function], user: str) -> None:
    _deliver(functions[0], user)
    _deliver(functions[1], user)


def _at_once(functions: list[Function], user: str) -> None:
    with ThreadPoolExecutor(len(functions)) as pool:
        list(pool.map(lambda function: _deliver(function, user), functions))


def _both(functions: list[Function], user: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        pairs = zip(functions, (samples.GMAIL, samples.SLACK), strict=False)
        list(pool.map(lambda pair: _deliver(pair[0], user, pair[1]), pairs))


def _lost_answer(setup: Setup) -> Callable[[list[Function], str], None]:
    def play(functions: list[Function], user: str) -> None:
        setup.composio.add_fault(
            method="POST", path="*/instances", user_id=user, lose_answer="after", times=1
        )
        _deliver(functions[0], user)

    return play


def _count(setup: Setup, users: list[str]) -> Came:
    posts = [one for one in setup.composio.instance_posts() if one["user_id"] in users]
    records = {one["instance_id"]: one["id"] for one in setup.composio.state()["instances"]}
    kept: Any = setup.aws.dynamodb.scan(TableName=setup.aws.dynamodb.table_name)["Items"]
    text = repr(kept)
    return Came(
        sum(one["posts"] for one in posts) / len(users),
        max((one["max_in_flight"] for one in posts), default=0),
        sum(records.get(user, "no instance") not in text for user in users),
    )
