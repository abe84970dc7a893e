"""What `doctor` makes of facts: what is wrong is found, and nothing else is."""

from dataclasses import replace
from typing import Any

import pytest

from provisioner.activity import Swept
from provisioner.doctor.facts import Finding
from provisioner.doctor.judge import judge
from provisioner.errors import Trouble
from provisioner.subscription import lacking
from tests.provisioner.sound_facts import ACTIVE, COMES_HERE, EXPIRED, SERVER, SOUND, URL


def told(**changes: Any) -> list[Finding]:
    return [one for one in judge(replace(SOUND, **changes)) if one.level != "ok"]


def test_nothing_is_said_against_what_is_sound() -> None:
    assert told() == []
    assert {one.remedy for one in judge(SOUND)} == {""}


@pytest.mark.parametrize(
    ("changes", "check", "level", "remedy"),
    [
        ({"has_api_key": False}, "secret", "error", "fill the secret"),
        (
            {"secret_flaws": ("webhook_secrets[0] is a placeholder",)},
            "secret",
            "error",
            "fill the secret",
        ),
        ({"composio": "HTTP 401", "key_rejected": True}, "Composio", "error", "create a new key"),
        ({"composio": "no answer: ConnectError"}, "Composio", "error", "ComposioBaseUrl"),
        (
            {"servers": {"srv_demo": SERVER._replace(gone=True)}},
            "MCP servers",
            "error",
            "out of McpServerIds",
        ),
        ({"servers": {}}, "MCP servers", "note", "choose McpServerIds"),
        (
            {"servers": {"srv_demo": SERVER._replace(required=frozenset())}},
            "MCP servers",
            "note",
            "add auth configs",
        ),
        ({"auth_configs": frozenset({"ac_gmail"})}, "auth configs", "error", "off the MCP server"),
        ({"offered": (EXPIRED,)}, "event types", "note", "CallbackUrl"),
        ({"subscription": None}, "webhook", "error", "provisioner connect-webhook"),
        ({"webhook_url": "https://else.invalid"}, "webhook", "error", "connect-webhook (it asks"),
        ({"offered": (EXPIRED, ACTIVE, ACTIVE + "s")}, "webhook", "error", "connect-webhook"),
        ({"webhook_secrets": ("whsec_2",)}, "signing", "error", "provisioner connect-webhook"),
        (
            {"subscription": COMES_HERE.model_copy(update={"secret": ""})},
            "signing",
            "note",
            "provisioner send",
        ),
        ({"worker_takes": False}, "queue", "error", "update-event-source-mapping"),
        ({"queued": 1000}, "queue", "note", "WorkerConcurrency"),
        ({"dead": 1}, "dead-letter queue", "error", "provisioner dead-letters show"),
        ({"schedule": False}, "sweep", "error", "enable-rule"),
        ({"swept": Swept(began=301, active=301)}, "sweep", "error", "fix what is wrong above"),
        ({"swept": Swept(began=900, active=-30)}, "sweep", "note", "with very many users"),
        ({"swept": Swept(began=3601, active=-30)}, "sweep", "error", "fix what is wrong above"),
        ({"swept": None}, "sweep", "note", "in two minutes"),
        ({"clocks": {"Composio": 61.0}}, "clocks", "error", "NTP"),
        ({"deprecated": {"/mcp": "sunset soon"}}, "deprecation", "error", "newer release"),
    ],
)
def test_each_fault_is_found_alone_and_with_its_remedy(
    changes: dict[str, Any], check: str, level: str, remedy: str
) -> None:
    (found,) = told(**changes)

    assert (found.check, found.level) == (check, level)
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("fact", "check", "level"),
    [
        ("has_api_key", "secret", "error"),
        ("servers", "MCP servers", "error"),
        ("accounts", "sweep", "error"),
        ("auth_configs", "auth configs", "note"),
        ("offered", "event types", "note"),
        ("subscription", "webhook", "error"),
        ("queued", "queue", "error"),
        ("worker_takes", "queue", "error"),
        ("dead", "dead-letter queue", "error"),
        ("schedule", "sweep", "error"),
        ("swept", "sweep", "error"),
        ("deprecated", "deprecation", "note"),
    ],
)
def test_a_fact_that_could_not_be_had_is_told_with_its_own_remedy(
    fact: str, check: str, level: str
) -> None:
    found = told(**{fact: Trouble("no permission for It", "ask for it")})

    assert [(one.check, one.level) for one in found] == [(check, level)]
    assert (found[0].message, found[0].remedy) == ("no permission for It", "ask for it")


def test_without_a_webhook_secret_both_sides_say_how_to_get_one() -> None:
    assert {one.check for one in told(webhook_secrets=())} == {"secret", "signing"}
    assert {one.remedy for one in told(webhook_secrets=())} == {"provisioner connect-webhook"}


def test_what_composio_would_have_to_say_is_not_judged_while_it_says_nothing() -> None:
    silent = Trouble("no answer", "try again")
    changes = {"composio": "no answer", "servers": silent, "accounts": silent}

    assert [one.check for one in told(**changes)] == ["Composio"]


def test_a_clock_that_nobody_has_told_is_not_judged() -> None:
    assert "clocks" not in {one.check for one in judge(replace(SOUND, clocks={}))}


def test_no_secret_is_in_what_is_found() -> None:
    assert "whsec" not in repr(list(judge(SOUND)))
    assert "whsec" not in repr(COMES_HERE)


def test_a_subscription_keeps_the_events_that_it_has() -> None:
    older = COMES_HERE.model_copy(update={"enabled_events": ["composio.trigger.message"]})

    assert lacking(older, URL, [EXPIRED]) == {
        "enabled_events": [EXPIRED, "composio.trigger.message"]
    }
    assert lacking(COMES_HERE, URL, [EXPIRED]) == {}
