"""What `doctor` makes of facts: what is wrong is found, and nothing else is."""

from dataclasses import replace
from typing import Any

import pytest

from provisioner.activity import Swept
from provisioner.doctor import judge_aws
from provisioner.doctor.facts import EventSource, Finding, Rule
from provisioner.doctor.judge import judge
from provisioner.errors import Trouble
from provisioner.subscription import lacking
from tests.provisioner.sound_facts import (
    ACTIVE,
    COMES_HERE,
    ENVIRONMENT,
    EXPIRED,
    PARAMETERS,
    SERVER,
    SOUND,
    URL,
)
from tests.template.sam_template import GLOBAL, TEMPLATE

OWN, AWS = SOUND.commands


def told(**changes: Any) -> list[Finding]:
    return [one for one in judge(replace(SOUND, **changes)) if one.level != "ok"]


def test_nothing_is_said_against_what_is_sound() -> None:
    assert told() == []
    assert told(servers={}) == []
    assert {one.remedy for one in judge(SOUND)} == {""}


@pytest.mark.parametrize(
    ("changes", "check", "level", "remedy"),
    [
        ({"has_api_key": False}, "secret", "error", f"{OWN} init"),
        (
            {"secret_flaws": ("webhook_secrets[0] is a placeholder",)},
            "secret",
            "error",
            f"{OWN} init",
        ),
        ({"composio": "HTTP 401", "key_rejected": True}, "Composio", "error", "create a new key"),
        ({"composio": "no answer: ConnectError"}, "Composio", "error", "ComposioBaseUrl"),
        (
            {"servers": {"srv_demo": SERVER._replace(gone=True)}},
            "MCP servers",
            "error",
            "out of McpServerIds",
        ),
        (
            {"servers": {}, "profiles": ()},
            "MCP servers",
            "note",
            f"{OWN} init shows those of the project",
        ),
        ({"sessions": (True, False)}, "sessions", "error", "refresh"),
        ({"sessions": Trouble("forbidden", "give it")}, "sessions", "error", "give it"),
        (
            {"servers": {"srv_demo": SERVER._replace(required=frozenset())}},
            "MCP servers",
            "note",
            "add auth configs",
        ),
        ({"auth_configs": frozenset({"ac_gmail"})}, "auth configs", "error", "off the MCP server"),
        ({"offered": (EXPIRED,)}, "event types", "note", "CallbackUrl"),
        ({"subscription": None}, "webhook", "error", f"{OWN} connect-webhook"),
        ({"webhook_url": "https://else.invalid"}, "webhook", "error", "connect-webhook (it asks"),
        ({"offered": (EXPIRED, ACTIVE, ACTIVE + "s")}, "webhook", "error", "connect-webhook"),
        ({"webhook_secrets": ("whsec_2",)}, "signing", "error", f"{OWN} connect-webhook"),
        (
            {"subscription": COMES_HERE.model_copy(update={"secret": ""})},
            "signing",
            "note",
            f"{OWN} send",
        ),
        (
            {"worker": EventSource("uuid-1")},
            "queue",
            "error",
            f"{AWS} lambda update-event-source-mapping --enabled --uuid uuid-1",
        ),
        ({"worker": EventSource()}, "queue", "error", "sam deploy"),
        ({"queued": 1000}, "queue", "note", "WorkerConcurrency"),
        ({"dead": 1}, "dead-letter queue", "error", f"{OWN} dead-letters show"),
        (
            {"sweep_rule": Rule("sweep-1")},
            "sweep",
            "error",
            f"{AWS} events enable-rule --name sweep-1 --event-bus-name default",
        ),
        ({"sweep_rule": Rule()}, "sweep", "error", "sam deploy"),
        (
            {"account_rule": Rule("accounts-1", "bus-1")},
            "event bus",
            "error",
            f"{AWS} events enable-rule --name accounts-1 --event-bus-name bus-1",
        ),
        ({"account_rule": Rule(bus="bus-1")}, "event bus", "error", "sam deploy"),
        (
            {"announcer": EventSource("uuid-2")},
            "announcer",
            "error",
            f"{AWS} lambda update-event-source-mapping --enabled --uuid uuid-2",
        ),
        (
            {"announcer": EventSource("uuid-2", enabled=True, result="PROBLEM: it fails")},
            "announcer",
            "error",
            f"{AWS} logs tail log-of-announcer --since 1h",
        ),
        (
            {"recursion": "Terminate"},
            "recursion",
            "error",
            f"{AWS} lambda put-function-recursion-config --function-name worker-1",
        ),
        ({"rejected": {"no such secret": 2}}, "deliveries", "note", "accepted webhook secret"),
        ({"rejected": {"a": 20, "b": 1}}, "deliveries", "error", "accepted webhook secret"),
        ({"parameters": PARAMETERS | {"Release": "8"}}, "release", "error", "sam deploy"),
        ({"parameters": PARAMETERS | {"McpServerIds": "*"}}, "release", "error", "Release"),
        ({"version": "1.2.4"}, "version", "note", "same release"),
        ({"version": None}, "version", "note", "sam deploy"),
        ({"newest": "1.10.0"}, "newer release", "note", "docs/operations.md, Deploy"),
        (
            {"swept": Swept(began=301, active=301)},
            "sweep",
            "error",
            f"{AWS} logs tail log-of-worker --since 1h",
        ),
        ({"swept": Swept(began=900, active=-30)}, "sweep", "note", "with very many users"),
        (
            {"swept": Swept(began=3601, active=-30)},
            "sweep",
            "error",
            f"{AWS} logs tail log-of-worker --since 1h",
        ),
        ({"swept": None}, "sweep", "note", "in two minutes"),
        ({"clocks": {"Composio": 61.0}}, "clocks", "error", "NTP"),
        ({"deprecated": {"/mcp": "sunset soon"}}, "deprecation", "error", "move to sessions"),
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
        ("newest", "newer release", "note"),
        ("servers", "MCP servers", "error"),
        ("followers", "sweep", "error"),
        ("auth_configs", "auth configs", "note"),
        ("offered", "event types", "note"),
        ("subscription", "webhook", "error"),
        ("queued", "queue", "error"),
        ("worker", "queue", "error"),
        ("announcer", "announcer", "error"),
        ("account_rule", "event bus", "error"),
        ("rejected", "deliveries", "note"),
        ("environments", "release", "error"),
        ("recursion", "recursion", "note"),
        ("dead", "dead-letter queue", "error"),
        ("sweep_rule", "sweep", "error"),
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
    assert {one.remedy for one in told(webhook_secrets=())} == {f"{OWN} connect-webhook"}


def test_what_composio_would_have_to_say_is_not_judged_while_it_says_nothing() -> None:
    silent = Trouble("no answer", "try again")
    changes = {"composio": "no answer", "servers": silent, "followers": silent}

    assert [one.check for one in told(**changes)] == ["Composio"]


def test_on_an_emulator_and_in_a_checkout_what_does_not_apply_is_not_judged() -> None:
    assert told(recursion=None, own_version=None) == []
    assert "recursion" not in {one.check for one in judge(replace(SOUND, recursion=None))}


def test_only_a_newer_release_is_told_of() -> None:
    assert [told(newest=other) for other in ("1.2.3", "0.9.9", "")] == [[], [], []]
    assert "newer release" in {one.check for one in judge(replace(SOUND, newest="1.2.3"))}
    assert "newer release" not in {one.check for one in judge(SOUND)}


def test_which_parameter_does_not_run_where_is_said() -> None:
    environments = dict.fromkeys(("webhook", "announcer"), ENVIRONMENT)
    older = environments | {"worker": ENVIRONMENT | {"RETURN_URL": "https://x"}}
    (found,) = told(environments=older)

    assert found.message == "what runs does not have the stack's ReturnUrl of the worker"


def test_every_parameter_that_the_functions_read_is_compared() -> None:
    variables = GLOBAL["Environment"]["Variables"]
    read = {value["Ref"]: name for name, value in variables.items() if "Ref" in value}

    assert {
        name: read[name] for name in read.keys() & TEMPLATE["Parameters"]
    } == judge_aws.PARAMETERS


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
