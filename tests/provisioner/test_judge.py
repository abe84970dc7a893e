"""`doctor` finds what is wrong in the facts, and nothing else."""

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
ENABLE = f"{AWS} lambda update-event-source-mapping --enabled --uuid"
ENABLE_RULE = f"{AWS} events enable-rule --name"
RECURSION = f"{AWS} lambda put-function-recursion-config --function-name worker-1"
WORKER_LOG = f"{AWS} logs tail log-of-worker --since 1h"
FAILING = EventSource("uuid-2", enabled=True, result="PROBLEM: it fails")
WITHOUT_SECRET = COMES_HERE.model_copy(update={"secret": ""})


def found(**changes: Any) -> list[Finding]:
    return [one for one in judge(replace(SOUND, **changes)) if one.level != "ok"]


def checks(**changes: Any) -> set[str]:
    return {one.check for one in judge(replace(SOUND, **changes))}


def test_a_sound_stack_has_no_findings() -> None:
    assert found() == []
    assert found(servers={}) == []
    assert {one.remedy for one in judge(SOUND)} == {""}


def server(**changes: Any) -> dict[str, Any]:
    return {"servers": {"srv_demo": SERVER._replace(**changes)}}


@pytest.mark.parametrize(
    ("changes", "check", "level", "remedy"),
    [
        ({"has_api_key": False}, "secret", "error", f"{OWN} init"),
        ({"secret_flaws": ("one is a placeholder",)}, "secret", "error", f"{OWN} init"),
        ({"composio": "HTTP 401", "key_rejected": True}, "Composio", "error", "create a new key"),
        ({"composio": "no answer: ConnectError"}, "Composio", "error", "ComposioBaseUrl"),
        (server(gone=True), "MCP servers", "error", "out of McpServerIds"),
        (server(required=frozenset()), "MCP servers", "note", "add auth configs"),
        ({"servers": {}, "profiles": ()}, "MCP servers", "note", f"{OWN} init shows those of the"),
        ({"sessions": (True, False)}, "sessions", "error", "refresh"),
        ({"sessions": Trouble("forbidden", "give it")}, "sessions", "error", "give it"),
        ({"auth_configs": frozenset({"ac_gmail"})}, "auth configs", "error", "off the MCP server"),
        ({"offered": (EXPIRED,)}, "event types", "note", "CallbackUrl"),
        ({"subscription": None}, "webhook", "error", f"{OWN} connect-webhook"),
        ({"webhook_url": "https://else.invalid"}, "webhook", "error", "connect-webhook (it asks"),
        ({"offered": (EXPIRED, ACTIVE, ACTIVE + "s")}, "webhook", "error", "connect-webhook"),
        ({"webhook_secrets": ("whsec_2",)}, "signing", "error", f"{OWN} connect-webhook"),
        ({"subscription": WITHOUT_SECRET}, "signing", "note", f"{OWN} send"),
        ({"worker": EventSource("uuid-1")}, "queue", "error", f"{ENABLE} uuid-1"),
        ({"worker": EventSource()}, "queue", "error", "sam deploy"),
        ({"queued": 1000}, "queue", "note", "WorkerConcurrency"),
        ({"dead": 1}, "dead-letter queue", "error", f"{OWN} dead-letters show"),
        (
            {"sweep_rule": Rule("sweep-1")},
            "sweep",
            "error",
            f"{ENABLE_RULE} sweep-1 --event-bus-name default",
        ),
        ({"sweep_rule": Rule()}, "sweep", "error", "sam deploy"),
        (
            {"account_rule": Rule("accounts-1", "bus-1")},
            "event bus",
            "error",
            f"{ENABLE_RULE} accounts-1 --event-bus-name bus-1",
        ),
        ({"account_rule": Rule(bus="bus-1")}, "event bus", "error", "sam deploy"),
        ({"announcer": EventSource("uuid-2")}, "announcer", "error", f"{ENABLE} uuid-2"),
        ({"announcer": FAILING}, "announcer", "error", f"{AWS} logs tail log-of-announcer --since"),
        ({"recursion": "Terminate"}, "recursion", "error", RECURSION),
        ({"rejected": {"no such secret": 2}}, "deliveries", "note", "accepted webhook secret"),
        ({"rejected": {"a": 20, "b": 1}}, "deliveries", "error", "accepted webhook secret"),
        ({"parameters": PARAMETERS | {"Release": "8"}}, "release", "error", "sam deploy"),
        ({"parameters": PARAMETERS | {"McpServerIds": "*"}}, "release", "error", "Release"),
        ({"version": "1.2.4"}, "version", "note", "same release"),
        ({"version": None}, "version", "note", "sam deploy"),
        ({"newest": "1.10.0"}, "newer release", "note", "docs/operations.md, Deploy"),
        ({"swept": Swept(began=301, active=301)}, "sweep", "error", WORKER_LOG),
        ({"swept": Swept(began=900, active=-30)}, "sweep", "note", "with very many users"),
        ({"swept": Swept(began=3601, active=-30)}, "sweep", "error", WORKER_LOG),
        ({"swept": None}, "sweep", "note", "in two minutes"),
        ({"clocks": {"Composio": 61.0}}, "clocks", "error", "NTP"),
        ({"deprecated": {"/mcp": "sunset soon"}}, "deprecation", "error", "move to sessions"),
    ],
)
def test_each_fault_is_found_alone_and_with_its_remedy(
    changes: dict[str, Any], check: str, level: str, remedy: str
) -> None:
    (finding,) = found(**changes)

    assert (finding.check, finding.level) == (check, level)
    assert remedy in finding.remedy


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
def test_a_fact_that_cannot_be_read_is_found_with_its_own_remedy(
    fact: str, check: str, level: str
) -> None:
    (finding,) = found(**{fact: Trouble("no permission for It", "ask for it")})

    assert (finding.check, finding.level) == (check, level)
    assert (finding.message, finding.remedy) == ("no permission for It", "ask for it")


def test_without_a_webhook_secret_both_checks_say_how_to_get_one() -> None:
    assert {one.check for one in found(webhook_secrets=())} == {"secret", "signing"}
    assert {one.remedy for one in found(webhook_secrets=())} == {f"{OWN} connect-webhook"}


def test_while_composio_does_not_answer_nothing_else_is_judged_about_it() -> None:
    silent = Trouble("no answer", "try again")
    changes = {"composio": "no answer", "servers": silent, "followers": silent}

    assert [one.check for one in found(**changes)] == ["Composio"]


def test_what_does_not_apply_is_not_judged() -> None:
    assert found(recursion=None, own_version=None) == []
    assert "recursion" not in checks(recursion=None)
    assert "clocks" not in checks(clocks={})
    assert "newer release" not in checks()


def test_only_a_newer_release_is_found() -> None:
    assert [found(newest=other) for other in ("1.2.3", "0.9.9", "")] == [[], [], []]
    assert "newer release" in checks(newest="1.2.3")


def test_the_parameter_and_the_function_that_differ_are_named() -> None:
    environments = dict.fromkeys(("webhook", "announcer"), ENVIRONMENT)
    older = environments | {"worker": ENVIRONMENT | {"RETURN_URL": "https://x"}}
    (finding,) = found(environments=older)

    assert finding.message == "what runs does not have the stack's ReturnUrl of the worker"


def test_every_parameter_that_the_functions_read_is_compared() -> None:
    variables = GLOBAL["Environment"]["Variables"]
    read = {value["Ref"]: name for name, value in variables.items() if "Ref" in value}

    assert {
        name: read[name] for name in read.keys() & TEMPLATE["Parameters"]
    } == judge_aws.PARAMETERS


def test_no_finding_contains_a_secret() -> None:
    assert "whsec" not in repr(list(judge(SOUND)))
    assert "whsec" not in repr(COMES_HERE)


def test_a_subscription_keeps_its_other_events() -> None:
    older = COMES_HERE.model_copy(update={"enabled_events": ["composio.trigger.message"]})

    events = [EXPIRED, "composio.trigger.message"]
    assert lacking(older, URL, [EXPIRED]) == {"enabled_events": events}
    assert lacking(COMES_HERE, URL, [EXPIRED]) == {}
