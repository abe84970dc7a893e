"""`doctor` finds each fault in a deployed stack, and says what to do about it."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from local.emulated_stack import fill_secret
from provisioner.doctor import collect, command
from tests.deployed.operator_commands import ACCOUNT_EVENT, Operator

CONNECT = "provisioner connect-webhook"


@pytest.fixture
def sound(operator: Operator) -> Operator:
    """Return the operator of a stack in which doctor finds no error."""
    operator.run("connect-webhook")
    return operator


def empty_secret(operator: Operator) -> None:
    stack = operator.at.stack
    fill_secret(stack.aws_endpoint_url, stack.secret_id, composio_api_key="", webhook_secrets=[])


def fault(path: str, **rule: Any) -> Callable[[Operator], None]:
    """Have Composio answer GET so."""
    return lambda op: op.at.composio.add_fault(method="GET", path=path, times=None, **rule)


def patched(**body: Any) -> Callable[[Operator], None]:
    """Change the subscription at Composio."""
    return lambda op: op.subscription("PATCH", **body)


def secrets(*first: str, keep: bool) -> Callable[[Operator], None]:
    """Have the stack accept these webhook secrets."""
    return lambda op: op.at.put_secret(*first, *op.secret()["webhook_secrets"][: 9 * keep])


def dead_letter(operator: Operator) -> None:
    url = operator.at.stack.dead_letter_queue_url
    operator.at.sqs.send_message(QueueUrl=url, MessageBody="no json")


DEPRECATED = {"deprecation": "true", "sunset": "Sat, 01 May 2027 00:00:00 GMT"}
FAULTS: dict[str, tuple[Callable[[Operator], object], str, str]] = {
    "empty secret": (empty_secret, "secret", "provisioner init"),
    "placeholder": (secrets("…", keep=True), "secret", "provisioner init"),
    "wrong key": (lambda op: op.at.composio.set_api_keys("ak_2"), "Composio", "create a new key"),
    "unknown server": (fault("*/mcp/srv_demo", status=404), "MCP servers", "take it out of"),
    "no subscription": (lambda op: op.at.composio.reset(), "webhook", CONNECT),
    "elsewhere": (patched(webhook_url="https://elsewhere.invalid/hook"), "webhook", CONNECT),
    "other events": (patched(enabled_events=["composio.trigger.message"]), "webhook", CONNECT),
    "other secret": (secrets("whsec_invented_older", keep=False), "signing", CONNECT),
    "dead letter": (dead_letter, "dead-letter queue", "provisioner dead-letters show"),
    "no schedule": (lambda op: op.schedule(runs=False), "sweep", "events enable-rule"),
    "no rule": (lambda op: op.account_rule(enabled=False), "event bus", "events enable-rule"),
    "no announcer": (lambda op: op.announcer(enabled=False), "announcer", "--enabled --uuid"),
    "another Release": (lambda op: op.release("2"), "release", "give Release another value"),
    "Composio down": (fault("*", status=503), "Composio", "status.composio.dev"),
    "deprecated": (fault("*/instances", headers=DEPRECATED), "deprecation", "move to sessions"),
}


def found(operator: Operator, code: int) -> dict[str, tuple[str, str]]:
    """Return the message and the remedy of each check that finds an error."""
    findings = operator.json("doctor", code=code)
    return {
        finding["check"]: (finding["message"], finding["remedy"])
        for finding in findings
        if finding["level"] == "error"
    }


def test_doctor_finds_no_error_in_a_sound_stack(sound: Operator) -> None:
    assert found(sound, 0) == {}
    assert sound.subscription()["enabled_events"] == [ACCOUNT_EVENT]
    shown = sound.run("doctor").stdout
    assert "✗" not in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_doctor_finds_each_fault_and_says_the_remedy(sound: Operator) -> None:
    for name, (seed, check, remedy) in FAULTS.items():
        seed(sound)
        errors = found(sound, 1)
        assert set(errors) == {check}, name
        assert remedy in errors[check][1], name
        sound.put_right()
        sound.run("connect-webhook")
    assert found(sound, 0) == {}


def test_doctor_finds_a_worker_that_takes_no_messages(sound: Operator) -> None:
    with sound.at.worker_paused():
        assert "update-event-source-mapping" in found(sound, 1)["queue"][1]
        sound.swept(900, held=-500)
        assert "no pass has been active for 50" in found(sound, 1)["sweep"][0]


def test_doctor_allows_a_sweep_that_takes_long(sound: Operator) -> None:
    sound.swept(900, held=100)

    assert found(sound, 0) == {}


def test_doctor_finds_a_clock_that_is_off(sound: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    late = partial(collect.collect, clock=lambda: time.time() - 400)
    monkeypatch.setattr(command, "collect", late)

    said, remedy = found(sound, 1)["clocks"]

    assert "Composio is +" in said
    assert "NTP" in remedy


def test_doctor_shows_no_secret(sound: Operator) -> None:
    shown = sound.run("doctor").output + sound.run("doctor", "--json").output

    for kept in [*sound.secret()["webhook_secrets"], sound.secret()["composio_api_key"]]:
        assert kept not in shown


def test_doctor_finds_a_sender_that_signs_with_another_secret(sound: Operator) -> None:
    for _ in range(21):
        assert sound.at.send(b"{}", secret="whsec_of_nobody_here").status == 401

    message, remedy = found(sound, 1)["deliveries"]

    assert "no signature was made with an accepted secret" in message
    assert "accepted webhook secret" in remedy
