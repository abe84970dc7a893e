"""The synchronous entry point, called with the samples of `events/`."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handler import webhook
from handler.requests import LARGEST_BODY
from handler.telemetry import NAMESPACE, Metric, logger
from tests.invocation import Context
from tests.samples import SAMPLES
from tests.world import GMAIL, NOW, SECRET, SERVER, SLACK, World, account, as_composio_has_it

NO_GMAIL = {"auth_config_id": GMAIL, "toolkit": "gmail"}
NO_SLACK = {"auth_config_id": SLACK, "toolkit": "slack"}


@pytest.fixture
def world() -> Iterator[World]:
    yield World()
    logger.remove_keys(["correlation_id", "account_id"])


def body_of(**data: Any) -> str:
    fields = {
        "id": "ca_gmail1",
        "user_id": "user_1",
        "auth_config": {"id": GMAIL},
        "status": "ACTIVE",
        "updated_at": "2026-01-01T00:00:00Z",
    }
    return json.dumps(
        {"id": "m", "type": "composio.connected_account.activated", "data": fields | data}
    )


def told(status: str, *missing: object) -> dict[str, object]:
    target = {"kind": "instance", "server_id": SERVER, "status": status, "missing": [*missing]}
    return {"targets": [target]}


@pytest.mark.parametrize(
    ("sample", "answer"),
    [
        ("connected", told("waiting", NO_SLACK)),
        ("base64", told("waiting", NO_SLACK)),
        ("unknown-account-event", told("waiting", NO_SLACK)),
        ("expired", told("waiting", NO_GMAIL, NO_SLACK)),
        ("trigger-message", {"ignored": "the event is not about a connected account"}),
        ("version-2", {"ignored": "the event is not about a connected account"}),
        ("version-1", {"ignored": "the payload is version V1"}),
    ],
)
def test_samples_are_answered(world: World, sample: str, answer: dict[str, Any]) -> None:
    assert world.deliver(SAMPLES[sample]) == (200, answer)


def test_every_sample_is_used_by_a_test() -> None:
    assert set(SAMPLES) == {
        "base64", "connected", "connected-second", "expired", "malformed", "named-in-data",
        "named-in-metadata", "trigger-message", "unknown-account-event", "version-1", "version-2",
        "without-user",
    }  # fmt: skip


def test_second_account_makes_the_instance(world: World) -> None:
    world.deliver(SAMPLES["connected"])

    assert world.deliver(SAMPLES["connected-second"]) == (200, told("ready"))


@pytest.mark.parametrize("sample", ["named-in-data", "named-in-metadata", "without-user"])
def test_event_with_only_an_account_id_is_looked_up_at_composio(world: World, sample: str) -> None:
    fact = account(GMAIL, id="ca_gmail1")
    world.upstream.accounts[fact.id] = as_composio_has_it(fact)

    assert world.deliver(SAMPLES[sample])[1]["targets"][0]["missing"] == [NO_SLACK]


def test_event_without_user_is_retried_later_while_composio_is_down(world: World) -> None:
    world.upstream.down = True

    answer = world.webhook.answer(SAMPLES["without-user"], seconds=25)

    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"] == "30"


def test_malformed_event_is_answered_with_the_field_and_not_its_value(world: World) -> None:
    error = {"message": "data.id: Input should be a valid string"}

    assert world.deliver(SAMPLES["malformed"]) == (400, {"error": error})


def test_handler_logs_metrics_and_correlation_id_and_no_secrets(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logger.registered_handler, "stream", sys.stdout)
    monkeypatch.setattr(webhook, "_deployed", lambda: world.webhook)

    answer = webhook.lambda_handler(SAMPLES["connected"], Context())

    assert answer["statusCode"] == 200
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    said = json.dumps(lines)
    emitted = {
        one["Name"]
        for line in lines
        if "_aws" in line
        for one in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
        if line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == NAMESPACE
    }
    assert {Metric.EVENT_RECEIVED, Metric.ACCOUNT_RECORDED} <= emitted
    taken = next(line for line in lines if line.get("message") == "event handled")
    assert taken["correlation_id"] == SAMPLES["connected"]["headers"]["webhook-id"]
    assert taken["account_id"] == "ca_gmail1"
    for secret in (SECRET, "ak_invented", SAMPLES["connected"]["body"][:40], "v1,"):
        assert secret not in said


def changed(**fields: Any) -> dict[str, Any]:
    return {**SAMPLES["connected"], **fields}


def with_header(name: str, *values: str) -> dict[str, Any]:
    return changed(multiValueHeaders=SAMPLES["connected"]["multiValueHeaders"] | {name: [*values]})


NOT_AUTHENTIC: dict[str, dict[str, Any]] = {
    "no headers at all": changed(multiValueHeaders=None),
    "missing id": with_header("webhook-id"),
    "repeated in another case": with_header("Webhook-Id", "a"),
    "lone surrogate": with_header("webhook-id", "\ud800"),
    "too old": with_header("webhook-timestamp", str(int(NOW) - 301)),
    "wrong signature": with_header("webhook-signature", "v1,aGVsbG8="),
    "body changed": changed(body=SAMPLES["connected"]["body"] + " "),
    "body not base64": changed(isBase64Encoded=True),
    "no body": changed(body=None),
    "body with a lone surrogate": changed(body="\ud800"),
}


@pytest.mark.parametrize("request_", NOT_AUTHENTIC.values(), ids=NOT_AUTHENTIC)
def test_forged_delivery_gets_one_answer_and_changes_nothing(
    world: World, request_: dict[str, Any]
) -> None:
    assert world.deliver(request_) == (401, {"error": {"message": "not authentic"}})
    assert world.trips() == ([], 0)


@pytest.mark.parametrize("encoded", [False, True])
def test_oversized_body_is_refused_unread(world: World, encoded: bool) -> None:
    largest = b"x" * LARGEST_BODY

    def sized(body: bytes) -> dict[str, Any]:
        text = base64.b64encode(body).decode() if encoded else body.decode()
        return changed(body=text, isBase64Encoded=encoded)

    assert world.deliver(sized(largest))[0] == 401
    assert world.deliver(sized(largest + b"x"))[0] == 413
    assert world.deliver(sized(largest * 40))[0] == 413


def test_size_is_counted_in_bytes(world: World) -> None:
    text = "\u00e9" * (LARGEST_BODY // 2 + 1)

    assert world.deliver(changed(body=text))[0] == 413


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{}", "[" * 100_000, body_of(id="ca/../x"), body_of(auth_config={"id": "a b"}),
     body_of().replace("user_1", "\\ud800")],
)  # fmt: skip
def test_signed_but_malformed_event_is_a_bad_request_and_writes_nothing(
    world: World, body: str
) -> None:
    """Further malformed events: test_events.py."""
    status, answer = world.deliver_signed(changed(body=body))

    assert status == 400
    assert answer["error"]["message"]
    assert world.trips() == ([], 0)


@pytest.mark.parametrize(
    "user_id", ["a#b", "a/b", "50%25", "..", "\U0001f600", "a,b", "USER#x", "\x00", "x" * 1024]
)
def test_any_user_id_works(world: World, user_id: str) -> None:
    for auth_config in (GMAIL, SLACK):
        body = body_of(user_id=user_id, id=f"ca_{auth_config}", auth_config={"id": auth_config})
        status, answer = world.deliver_signed(changed(body=body))

    assert (status, answer["targets"][0]["status"]) == (200, "ready")
    assert world.upstream.instances == {(SERVER, user_id)}
    assert world.row(user_id)["record"]["instance_id"] == user_id


def test_both_webhook_secrets_are_accepted_during_a_rotation(world: World) -> None:
    world.deliver(SAMPLES["connected"])
    world.secrets.secret["webhook_secrets"] = ["whsec_invented_next", SECRET]
    world.now += 11

    assert world.deliver_signed(SAMPLES["connected"], "whsec_invented_next")[0] == 200
    assert world.deliver_signed(SAMPLES["connected"], SECRET)[0] == 200
    world.secrets.secret["webhook_secrets"] = ["whsec_invented_next"]
    world.now += 301
    assert world.deliver_signed(SAMPLES["connected"], SECRET)[0] == 401


def test_flood_of_forged_deliveries_does_not_flood_secrets_manager(world: World) -> None:
    for _ in range(100):
        world.now += 0.1
        world.deliver_signed(SAMPLES["connected"], "whsec_forged")

    assert world.secrets.fetched <= 2


def test_unreadable_secret_is_answered_with_503(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(**_: object) -> str:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetSecretValue")

    monkeypatch.setattr(world.secrets, "get_secret_value", denied)

    assert world.deliver(SAMPLES["connected"])[0] == 503


def test_empty_secret_rejects_every_delivery(world: World) -> None:
    world.secrets.secret = {"composio_api_key": "", "webhook_secrets": []}

    assert world.deliver(SAMPLES["connected"])[0] == 401
    assert world.deliver_signed(SAMPLES["connected"], "")[0] == 401


def test_modules_for_browsers_are_not_imported_at_start() -> None:
    code = "import sys; from handler import webhook, worker; print(*sys.modules)"
    run = [sys.executable, "-c", code]
    path = {"PYTHONPATH": "src", "AWS_DEFAULT_REGION": "us-east-1"}
    loaded = subprocess.run(run, env=path, check=True, capture_output=True, text=True).stdout  # noqa: S603 -- ours

    assert "handler.webhook" in loaded.split()
    assert [one for one in loaded.split() if one.startswith("handler.connect")] == []
