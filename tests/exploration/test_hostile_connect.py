"""Ten thousand hostile requests to a connect session that a user has begun."""

import json
from collections import Counter

import pytest

from tests.doubles import Log
from tests.exploration.hostile import CANARY, MAKES_SESSIONS, Generator
from tests.exploration.hostile_connect import ConnectGenerator
from tests.handler.connect_world import Browser, ConnectWorld, connected, started
from tests.world import GMAIL, SLACK

pytestmark = [pytest.mark.prove, pytest.mark.timeout(300)]

REQUESTS = 10_000


def test_hostile_requests_write_nothing_call_nobody_and_the_user_goes_on(
    log: Log, figures: list[str]
) -> None:
    world = ConnectWorld()
    browser, sid = started(world, label="ada@app.invalid")
    connected(browser, sid, GMAIL)
    other = world.token("user_2")
    generator, counted = ConnectGenerator(5, sid, other), Counter[int]()
    Browser(world).start(other)
    before = world.db.scan(TableName="table")["Items"]
    world.trips()
    log.stream.truncate(0)
    for _ in range(REQUESTS):
        event = generator.request()
        answer = world.webhook.answer(event, seconds=25)
        assert answer["statusCode"] < 500, ascii(event)[:2000]
        told = json.dumps(answer, ensure_ascii=False)
        assert "ada@app.invalid" not in told
        assert CANARY not in told, ascii(event)[:2000]
        assert "set-cookie" not in answer["headers"], ascii(event)[:2000]
        assert all("\n" not in one for one in answer["headers"].values())
        counted[answer["statusCode"]] += 1
    assert world.upstream.requests == []
    assert set(world.trips()[0]) == {"Query"}
    assert world.db.scan(TableName="table")["Items"] == before
    assert CANARY not in log.text
    assert {200, 403, 404} <= set(counted)
    answers = ", ".join(f"{number:,} x {status}" for status, number in sorted(counted.items()))
    figures.append(f"{REQUESTS:,} hostile requests to connect sessions: {answers}")
    assert connected(browser, sid, SLACK).location.endswith("connected_account_id=ca_made_2")


def test_whom_iam_lets_in_cannot_break_or_inject_anything(log: Log) -> None:
    world = ConnectWorld()
    generator = Generator(seed=6, now=world.now, signs=False)
    method, resource = MAKES_SESSIONS
    statuses = Counter[int]()
    for _ in range(1000):
        event = generator.request().event | {"httpMethod": method, "resource": resource}
        event["pathParameters"] = {"user_id": generator._text()}
        event["requestContext"] = {"domainName": "api.invalid", "stage": "live"}
        event["body"] = json.dumps(
            {
                "label": generator._text(),
                "return_url": generator._text(),
                "server_id": generator._text(),
            }
        )
        event["isBase64Encoded"] = False
        answer = world.webhook.answer(event, seconds=25)
        statuses[answer["statusCode"]] += 1
        assert CANARY not in answer["body"]
    assert set(statuses) <= {201, 400, 413}
    assert CANARY not in log.text
