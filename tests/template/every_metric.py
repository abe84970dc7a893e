"""Has the handler emit every metric, and log what the saved queries look for."""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest
from aws_lambda_powertools.metrics.provider import cold_start
from aws_lambda_powertools.utilities.typing import LambdaContext
from mypy_boto3_events import EventBridgeClient

from handler import announcer, webhook, worker
from handler.announcer import Announcer
from handler.events import Account
from handler.telemetry import logger
from local.sign import signed
from tests.doubles import refusal
from tests.fakes.event_bus import FakeBus, records
from tests.handler.connect_world import ConnectWorld, connected, started
from tests.invocation import Context
from tests.openapi import PATH, routes
from tests.samples import SAMPLES
from tests.world import GMAIL, PROFILE, SECRET, SLACK, World, account, as_composio_has_it

CONTEXT = cast("LambdaContext", Context())
UNREADABLE = {"dynamodb": {"NewImage": {"status": {"S": "of another version"}}}}


@dataclass(frozen=True)
class Figure:
    """A metric as CloudWatch makes it of a line of the log."""

    namespace: str
    name: str
    dimensions: tuple[str, ...]


@dataclass(frozen=True)
class Emitted:
    """What was printed: the metrics, and the lines of the log."""

    figures: frozenset[Figure]
    lines: tuple[dict[str, Any], ...]


def emit_everything(monkeypatch: pytest.MonkeyPatch) -> Emitted:
    """Return what the `lambda_handler` of each function emits in all that can happen."""
    printed, logged = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(logged)
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    world, bus = World(), FakeBus()
    monkeypatch.setattr(cold_start, "is_cold_start", True)
    monkeypatch.setattr(webhook, "_deployed", lambda: world.webhook)
    monkeypatch.setattr(worker, "_deployed", lambda: world.worker)
    monkeypatch.setattr(
        announcer,
        "_deployed",
        lambda: Announcer(cast("EventBridgeClient", bus), "bus", "https://c.invalid"),
    )
    try:
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            # Powertools warns of a message that counts nothing.
            warnings.simplefilter("ignore")
            _run_everything(world, monkeypatch)
            _connect()
            announcer.lambda_handler({"Records": records(world)[:10]}, CONTEXT)
            bus.refuses = {0}
            announcer.lambda_handler({"Records": [*records(world)[:1], UNREADABLE]}, CONTEXT)
    finally:
        logger.handlers.remove(handler)
    return Emitted(
        frozenset(_figures(printed.getvalue().splitlines())),
        tuple(json.loads(line) for line in logged.getvalue().splitlines()),
    )


def _connect() -> None:
    """Have a user connect everything in a browser, while another user interferes."""
    world = ConnectWorld()
    browser, sid = started(world, "connecting")
    browser.post("/connect/link", {}, s=sid, ac=GMAIL)
    browser.connect(sid, GMAIL)
    theirs = account(GMAIL, id="ca_theirs", user="mallory", status="INITIATED")
    world.upstream.accounts[theirs.id] = as_composio_has_it(theirs)
    uri = world.upstream.verified_by("ca_theirs", "mallory")
    browser.get("/connect/verify", session_uri=uri)
    world.upstream.before_link.append(refusal(500, "down"))
    browser.connect(sid, SLACK)
    connected(browser, sid, GMAIL, SLACK)


def _run_everything(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = as_composio_has_it(account(GMAIL)) | {"user_id": 7}
    world.upstream.accounts["ca_odd"] = odd
    _work(world, {"task": "sweep"})
    for sample in ("connected", "connected", "malformed", "version-1", "unknown-account-event"):
        _deliver(world, SAMPLES[sample])
    _deliver(world, SAMPLES["connected"], secret="whsec_forged")
    _complete(world, "happy")
    for method, resource in sorted(routes()):
        asked = {"httpMethod": method, "resource": resource}
        webhook.lambda_handler(asked | {"pathParameters": PATH | {"user_id": "happy"}}, CONTEXT)
    answers: dict[str, list[Any]] = {
        "throttled": [refusal(429, "slow down")],
        "refused": [refusal(404, "not found")],
        "lost": [httpx.ReadTimeout("slow"), httpx.ConnectError("down")],
        "broken": [refusal(503, "down")],
        "elsewhere": [httpx.Response(302)],
        "rejected": [refusal(401, "who are you?")],
        "deprecated": [httpx.Response(410, headers={"sunset": "yesterday"}, json={})],
    }
    for user, script in answers.items():
        world.upstream.script.extend(script)
        _complete(world, user)
    world.upstream.accounts["ca_slack"] = as_composio_has_it(account(SLACK, user="early"))
    world.upstream.script.append(refusal(403, "not connected"))
    _complete(world, "early")
    _find_oddities(world, monkeypatch)
    world.catalog_table.store_profile(PROFILE, backfill_at=0)
    world.now += 60
    world.upstream.script.append(httpx.ReadTimeout("lost"))
    _work(world, {"task": "due", "user_id": "happy", "target": PROFILE.key.sort_key})
    world.now += 2000
    world.upstream.down = True
    _work(world, {"task": "sweep"}, {"task": "nothing"}, "no JSON")
    with monkeypatch.context() as broken:
        broken.setattr(world.db, "update_item", None)
        _deliver(world, SAMPLES["connected-second"])
        _complete(world, "unlucky")


def _find_oddities(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the sweep find an account without a user, one that cannot be stored, and a cycle."""
    nobodys = as_composio_has_it(account(GMAIL, id="ca_nobodys")) | {"user_id": None}
    world.upstream.accounts["ca_nobodys"] = nobodys
    world.upstream.accounts["ca_full"] = as_composio_has_it(account(GMAIL, id="ca_full", user="f"))
    update, listed = world.db.update_item, world.upstream._accounts

    def refuse(**request: Any) -> Any:
        if request["Key"]["pk"]["S"] == "USER#f":
            raise RuntimeError
        return update(**request)

    def repeat(params: httpx.QueryParams) -> httpx.Response:
        body = listed(params.remove("cursor")).json()
        return httpx.Response(200, json=body | {"next_cursor": "again"})

    with monkeypatch.context() as odd:
        odd.setattr(world.db, "update_item", refuse)
        odd.setattr(world.upstream, "_accounts", repeat)
        _work(world, {"task": "sweep"})


def _complete(world: World, user: str) -> None:
    for auth_config in (GMAIL, SLACK):
        _work(world, {"detail": _event(account(auth_config, user=user))})


def _event(fact: Account) -> dict[str, Any]:
    return {
        "id": "m",
        "type": "composio.connected_account.activated",
        "data": as_composio_has_it(fact),
    }


def _work(world: World, *messages: object) -> None:
    for message in messages:
        world.sqs.put(message)
    taken, world.sqs.messages = world.sqs.messages, []
    worker.lambda_handler({"Records": taken}, CONTEXT)


def _deliver(world: World, sample: dict[str, Any], secret: str = SECRET) -> None:
    webhook.lambda_handler(signed(sample, secret=secret, now=int(world.now)), CONTEXT)


def _figures(lines: list[str]) -> Iterator[Figure]:
    for line in lines:
        said: Mapping[str, Any] = json.loads(line) if line.startswith('{"_aws"') else {}
        for directive in said.get("_aws", {}).get("CloudWatchMetrics", ()):
            for metric in directive["Metrics"]:
                assert metric["Name"] in said
                for dimensions in directive["Dimensions"]:
                    yield Figure(directive["Namespace"], metric["Name"], tuple(sorted(dimensions)))


def fields(line: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the fields of a line as Logs Insights names them: parts joined with dots."""
    for name, value in line.items():
        if isinstance(value, dict):
            yield from fields(value, f"{prefix}{name}.")
        yield f"{prefix}{name}"
