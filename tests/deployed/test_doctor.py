"""`doctor` finds each fault that is seeded into a deployed stack, and says what to do about it."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from local.emulated_stack import fill_secret
from provisioner.doctor import collect, command
from tests.deployed.operator_commands import ACCOUNT_EVENT, Operator

OTHER = "https://elsewhere.invalid/hook"
CONNECT = "provisioner connect-webhook"


@pytest.fixture
def sound(operator: Operator) -> Iterator[Operator]:
    """Give a stack that doctor has nothing to say against."""
    operator.schedule(runs=True)
    operator.run("connect-webhook")
    yield operator
    operator.schedule(runs=False)


def empty_secret(operator: Operator) -> None:
    fill_secret(
        operator.at.stack.aws_endpoint_url,
        operator.at.stack.secret_id,
        composio_api_key="",
        webhook_secrets=[],
    )


def fault(**rule: Any) -> Callable[[Operator], None]:
    def seed(operator: Operator) -> None:
        operator.at.composio.add_fault(method="GET", times=None, **rule)

    return seed


def dead_letter(operator: Operator) -> None:
    url = operator.at.stack.dead_letter_queue_url
    operator.at.sqs.send_message(QueueUrl=url, MessageBody="no json")


SUNSET = "Sat, 01 May 2027 00:00:00 GMT"
FAULTS: dict[str, tuple[Callable[[Operator], object], str, str]] = {
    "empty secret": (empty_secret, "secret", "provisioner init"),
    "wrong key": (
        lambda at: at.at.composio.set_api_keys("ak_another"),
        "Composio",
        "create a new key at Composio",
    ),
    "unknown server": (
        fault(path="*/mcp/srv_demo", status=404),
        "MCP servers",
        "take it out of McpServerIds",
    ),
    "no subscription": (lambda at: at.at.composio.reset(), "webhook", CONNECT),
    "subscription elsewhere": (
        lambda at: at.subscription("PATCH", webhook_url=OTHER),
        "webhook",
        CONNECT,
    ),
    "event not subscribed to": (
        lambda at: at.subscription("PATCH", enabled_events=["composio.trigger.message"]),
        "webhook",
        CONNECT,
    ),
    "webhook secret not accepted": (
        lambda at: at.at.put_secret("whsec_invented_older"),
        "signing",
        CONNECT,
    ),
    "dead letter": (dead_letter, "dead-letter queue", "provisioner dead-letters show"),
    "schedule stopped": (lambda at: at.schedule(runs=False), "sweep", "events enable-rule"),
    "account rule disabled": (
        lambda at: at.account_rule(enabled=False),
        "event bus",
        "events enable-rule",
    ),
    "announcer disabled": (
        lambda at: at.announcer(enabled=False),
        "announcer",
        "lambda update-event-source-mapping --enabled --uuid",
    ),
    "another Release": (
        lambda at: at.release("2"),
        "release",
        "give Release another value",
    ),
    "a placeholder for a secret": (
        lambda at: at.at.put_secret("…", *at.secret()["webhook_secrets"]),
        "secret",
        "provisioner init",
    ),
    "Composio down": (fault(path="*", status=503), "Composio", "status.composio.dev"),
    "deprecated": (
        fault(path="*/instances", headers={"deprecation": "true", "sunset": SUNSET}),
        "deprecation",
        "move to sessions",
    ),
}


def found(operator: Operator, code: int) -> dict[str, tuple[str, str]]:
    """Return what doctor has against the stack: the message and the remedy, by check."""
    findings = operator.json("doctor", code=code)
    return {
        finding["check"]: (finding["message"], finding["remedy"])
        for finding in findings
        if finding["level"] == "error"
    }


def test_doctor_has_nothing_against_a_stack_that_is_right(sound: Operator) -> None:
    assert found(sound, 0) == {}
    assert sound.subscription()["enabled_events"] == [ACCOUNT_EVENT]
    shown = sound.run("doctor").stdout
    assert "✗" not in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_doctor_finds_each_seeded_fault_and_says_the_remedy(sound: Operator) -> None:
    for name, (seed, check, remedy) in FAULTS.items():
        seed(sound)
        against = found(sound, 1)
        assert set(against) == {check}, name
        assert remedy in against[check][1], name
        sound.put_right()
        sound.schedule(runs=True)
        sound.run("connect-webhook")
    assert found(sound, 0) == {}


def test_doctor_finds_a_worker_that_takes_nothing(sound: Operator) -> None:
    with sound.at.worker_paused():
        assert "update-event-source-mapping" in found(sound, 1)["queue"][1]
        sound.swept(900, held=-500)
        assert "no pass has been active for 50" in found(sound, 1)["sweep"][0]


def test_doctor_has_nothing_against_a_sweep_that_takes_long(sound: Operator) -> None:
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


def test_doctor_tells_of_somebody_who_signs_with_another_secret(sound: Operator) -> None:
    for _ in range(21):
        assert sound.at.send(b"{}", secret="whsec_of_nobody_here").status == 401

    message, remedy = found(sound, 1)["deliveries"]

    assert "no signature was made with an accepted secret" in message
    assert "accepted webhook secret" in remedy
