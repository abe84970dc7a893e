"""Whatever is sent, to whichever route: no 5xx, no write without authentication, no secret told.

`PROVE=1` (`make prove`) sends 120,000 requests where `make test` sends a share of them.
"""

import contextlib
import io
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from handler import webhook
from handler.telemetry import logger, metrics
from tests.exploration.hostile import CANARY, VICTIM, Generator, Hostile
from tests.invocation import Context
from tests.world import API_KEY, GMAIL, SECRET, World, account, as_composio_has_it

pytestmark = [pytest.mark.prove, pytest.mark.timeout(600)]

BATCH = 1000
BATCHES = 60 if "PROVE" in os.environ else 3
READS = {"GetItem", "Query"}


class Lines(logging.StreamHandler[io.StringIO]):
    """Keeps what is logged, and counts the records."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.setFormatter(logger.registered_formatter)
        self.records = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one more."""
        self.records += 1
        super().emit(record)

    def take(self) -> str:
        """Return the lines since the last time, each of one record and one JSON object."""
        text = self.stream.getvalue()
        lines = text.split("\n")[:-1]
        assert len(lines) == self.records
        assert all(isinstance(json.loads(line), dict) for line in lines)
        self.stream.seek(0)
        self.stream.truncate()
        self.records = 0
        return text


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, others = Lines(), list(logger.handlers)
    logger.handlers[:] = [handler]
    yield handler
    logger.handlers[:] = others
    logger.remove_keys(["correlation_id", "account_id", "user_id"])
    metrics.clear_metrics()


@pytest.fixture
def world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    world.upstream.accounts[VICTIM] = as_composio_has_it(account(GMAIL, id=VICTIM, user="victim"))
    monkeypatch.setattr(webhook, "_deployed", lambda: world.webhook)
    return world


def send(world: World, one: Hostile) -> int:
    """Send a request through the very handler, and judge the answer and the table."""
    answer = webhook.lambda_handler(one.event, cast("LambdaContext", Context()))
    sent: dict[str, Any] = one.event
    told = json.dumps(answer, ensure_ascii=False)
    assert told.encode(), "API Gateway takes UTF-8"
    assert answer["statusCode"] < 500, ascii(sent)[:2000]
    # Whom IAM lets in is shown a user under the name that a signed event gave.
    shown = answer["statusCode"] == 200 and str(sent["resource"]).startswith("/users/")
    assert shown or CANARY not in told, ascii(sent)[:2000]
    assert all("\r" not in one and "\n" not in one for one in answer["headers"].values())
    operations, creates = world.trips()
    assert one.authentic or (set(operations) <= READS and creates == 0), ascii(sent)[:2000]
    return int(answer["statusCode"])


@pytest.mark.parametrize("signs", [False, True], ids=["unsigned", "some-are-signed"])
def test_hostile_requests_break_nothing_write_nothing_and_learn_nothing(
    world: World, lines: Lines, figures: list[str], *, signs: bool
) -> None:
    generator, counted = Generator(seed=4, now=world.now, signs=signs), Counter[int]()
    before = world.db.scan(TableName="table")["Items"]
    world.trips()
    for _ in range(BATCHES):
        world.callback._memory.clear()  # a minute later, made-up accounts are asked for again
        with contextlib.redirect_stdout(io.StringIO()) as counts:
            counted.update(send(world, generator.request()) for _ in range(BATCH))
        metered = counts.getvalue()
        assert all(isinstance(json.loads(line), dict) for line in metered.split("\n")[:-1])
        said = lines.take() + metered
        assert [one for one in (SECRET, API_KEY, CANARY) if one in said] == []
    after = world.db.scan(TableName="table")["Items"]
    assert (after == before) != signs
    assert world.target_table.user("mallory")[0].accounts == ()
    assert {400, 401, 404, 413} <= set(counted)
    answers = ", ".join(f"{number:,} x {status}" for status, number in sorted(counted.items()))
    figures.append(f"{counted.total():,} hostile requests to the handler: {answers}")
