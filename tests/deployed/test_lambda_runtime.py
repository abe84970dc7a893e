"""The package under AWS's own runtime: what it answers, and what it logs.

Lambda reads the level of a line of JSON that has `level` and an RFC 3339 `timestamp`, and takes
any other for INFO; CloudWatch reads the metrics of a line of JSON that has `_aws` (Lambda Developer
Guide, "Log-level filtering"; CloudWatch User Guide, "Specification: Embedded metric format").
"""

import contextlib
import json
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from handler.announcer import DETAIL_TYPES
from handler.targets import Kind, Status
from handler.telemetry import NAMESPACE, hashed
from local.emulator import aws_environment
from tests.deployed.application import BOTH, GMAIL, SLACK, Answer, event, someone, until
from tests.deployed.conftest import Infrastructure
from tests.deployed.delivery import signed
from tests.deployed.finishing import Finishing
from tests.deployed.lambda_runtime import Invocation, Runtime, started
from tests.docs.events_doc import outcome_schema
from tests.template.sam_template import FUNCTIONS, TEMPLATE

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="AWS's runtime and its emulator exist for Linux only"
)

SAMPLE = json.loads(Path("events/connected.json").read_text())
TOKEN = "an-access-token-of-the-user"
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

type Start = Callable[..., Runtime]


@pytest.fixture
def start(infrastructure: Infrastructure, finishing: Finishing, tmp_path: Path) -> Iterator[Start]:
    """Return what starts a function as in the template, with `changes` to its variables."""
    stack = finishing.stack
    with contextlib.ExitStack() as running:

        def started_as_deployed(name: str, package: Path | None = None, **changes: str) -> Runtime:
            deployed = getattr(stack, f"{name.removesuffix('Function').lower()}_function_name")
            found = finishing.functions.get_function_configuration(FunctionName=deployed)
            logging = FUNCTIONS[name]["LoggingConfig"]
            level = TEMPLATE["Parameters"][logging["ApplicationLogLevel"]["Ref"]]["Default"]
            environment = {
                **aws_environment(stack.aws_endpoint_url),
                "AWS_LAMBDA_FUNCTION_NAME": deployed,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(found["MemorySize"]),
                "AWS_LAMBDA_FUNCTION_TIMEOUT": str(found["Timeout"]),
                "AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"],
                "AWS_LAMBDA_LOG_LEVEL": level,
                **found["Environment"]["Variables"],
                **changes,
            }
            at = package or infrastructure.build_dir / name
            return running.enter_context(started(at, found["Handler"], environment, tmp_path))

        yield started_as_deployed


class Logged(NamedTuple):
    """The lines that an invocation logged, and the sum of each metric."""

    lines: list[dict[str, Any]]
    sums: dict[str, float]


def logged(finishing: Finishing, invocation: Invocation, *secret: str) -> Logged:
    """Return what an invocation logged, having checked the form of each line."""
    assert invocation.errors == ""
    logged = Logged([], {})
    for text in invocation.lines:
        assert not [one for one in (*secret, finishing.api_key, *finishing.secrets) if one in text]
        line = json.loads(text)
        if "_aws" in line:
            logged.sums.update(metrics(line, finishing.stack.stack_name))
            continue
        assert line["level"] in {"INFO", "WARNING", "ERROR"}
        assert RFC_3339.fullmatch(line["timestamp"])
        assert line["function_request_id"] == invocation.request_id
        logged.lines.append(line)
    return logged


def metrics(line: dict[str, Any], stack: str) -> Iterator[tuple[str, float]]:
    """Yield the metrics of a line in the embedded metric format, with their sums."""
    assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 60
    assert line["service"] == stack
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert directive["Namespace"] == NAMESPACE
        for dimensions in directive["Dimensions"]:
            assert "service" in dimensions
            assert all(isinstance(line[dimension], str) for dimension in dimensions)
        for metric in directive["Metrics"]:
            assert metric["Unit"] in {"Count", "Seconds"}
            yield metric["Name"], sum(line[metric["Name"]])


def test_webhook_answers_the_first_event_the_completing_one_and_a_forged_one(
    start: Start, finishing: Finishing
) -> None:
    user, webhook = someone("native"), start("WebhookFunction")

    def deliver(auth_config_id: str, secret: str) -> tuple[Answer, Logged]:
        account = finishing.account(user, auth_config_id)
        body = event(account, state={"val": {"access_token": TOKEN}})
        headers = signed(body, secret, webhook_id="msg_native")
        request = {"body": body.decode(), "headers": headers}
        request["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
        invocation = webhook.invoke(SAMPLE | request)
        signature = headers["webhook-signature"].removeprefix("v1,")
        answer = Answer(invocation.answer["statusCode"], json.loads(invocation.answer["body"]))
        return answer, logged(finishing, invocation, TOKEN, user, signature)

    (secret,) = finishing.secrets
    first, first_logged = deliver(GMAIL, secret)
    completing, completing_logged = deliver(SLACK, secret)
    forged, forged_logged = deliver(SLACK, "whsec_of_somebody_else")

    assert (first.status, first.instance) == (200, ("waiting", [SLACK]))
    assert (completing.status, completing.instance) == (200, ("ready", []))
    assert (forged.status, forged.body) == (401, {"error": {"message": "not authentic"}})
    assert finishing.posts(user)["posts"] == 1
    for handled in (first_logged.lines[-1], completing_logged.lines[-1]):
        assert (handled["level"], handled["message"]) == ("INFO", "event handled")
        assert (handled["user_id"], handled["correlation_id"]) == (hashed(user), "msg_native")
    (refused,) = forged_logged.lines
    assert (refused["level"], refused["message"]) == ("WARNING", "delivery not authentic")
    told = [one.sums.keys() for one in (first_logged, completing_logged, forged_logged)]
    for name, where in {"ColdStart": 0, "TargetReady": 1, "AuthenticationFailed": 2}.items():
        assert [number for number, names in enumerate(told) if name in names] == [where]


def test_worker_fails_the_poison_of_a_batch_and_nothing_else(
    start: Start, finishing: Finishing
) -> None:
    user, sqs = someone("native"), finishing.sqs
    # The stack's own queue has a worker already.
    url = sqs.create_queue(
        QueueName=f"native-{time.time_ns()}", Attributes={"VisibilityTimeout": "180"}
    )["QueueUrl"]
    first, completing = [json.loads(one) for one in finishing.complete(user)]
    completing["data"]["state"] = {"val": {"access_token": TOKEN}}
    bodies = [f"no JSON: {TOKEN}", {"detail": first}, {"task": TOKEN}, {"detail": completing}]

    def received() -> list[Any]:
        asked: Any = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"]}
        return sqs.receive_message(QueueUrl=url, **asked).get("Messages", [])

    records = []
    for body in bodies:
        text = body if isinstance(body, str) else json.dumps(body)
        sqs.send_message(QueueUrl=url, MessageBody=text)
        (message,) = received()
        # As Lambda hands it over: messageId, receiptHandle, body, attributes.
        records.append({name[0].lower() + name[1:]: value for name, value in message.items()})
    invocation = start("WorkerFunction", QUEUE_URL=url).invoke({"Records": records})

    poison = [records[0]["messageId"], records[2]["messageId"]]
    assert invocation.answer == {"batchItemFailures": [{"itemIdentifier": one} for one in poison]}
    assert finishing.statuses([user]) == {user: "ready"}
    lines, sums = logged(finishing, invocation, TOKEN, user)
    assert [
        (line["message"], line["correlation_id"]) for line in lines if line["level"] == "ERROR"
    ] == [("message not understood", one) for one in poison]
    assert (sums["ColdStart"], sums["EventMalformed"], sums["TargetReady"]) == (1, 2, 1)
    # It is hidden for a second only, instead of the queue's three minutes.
    assert until(received, "the poison comes back")[0]["MessageId"] in poison


def test_announcer_puts_what_the_stream_contains_on_the_bus(
    start: Start, finishing: Finishing
) -> None:
    user, told = someone("native"), uuid.uuid4().hex
    assert finishing.connect(user, *BOTH).instance == ("ready", [])
    # The stack's own announcer announces the row unchanged.
    image = json.loads(finishing.item(user)) | {"claim_token": {"S": told}}
    change = {
        "Keys": {key: image[key] for key in ("pk", "sk")},
        "OldImage": image | {"status": {"S": "creating"}},
        "NewImage": image,
        "SequenceNumber": "1",
    }

    record = {"eventName": "MODIFY", "eventSource": "aws:dynamodb", "dynamodb": change}
    with finishing.listening() as heard:
        invocation = start("AnnouncerFunction").invoke({"Records": [record]})
        assert invocation.answer == {"batchItemFailures": []}
        (outcome,) = until(
            lambda: [one for one in heard() if one["detail"]["id"] == told], "it is announced"
        )
    outcome_schema(DETAIL_TYPES[Kind.INSTANCE, Status.READY]).validate(outcome)
    assert outcome["detail"]["user_id"] == user
    assert logged(finishing, invocation, user) == ([], {"ColdStart": 1, "OutcomeAnnounced": 1})


def test_package_that_lacks_a_library_does_not_find_it_elsewhere(
    infrastructure: Infrastructure, start: Start, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in (infrastructure.build_dir / "WorkerFunction").iterdir():
        if path.name != "pydantic_core":
            (broken / path.name).symlink_to(path)

    invocation = start("WorkerFunction", broken).invoke({})

    assert invocation.answer["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'pydantic_core'" in invocation.answer["errorMessage"]
    told = [json.loads(line) for line in invocation.lines]
    assert [line["level"] for line in told] == ["WARNING", "ERROR"]
