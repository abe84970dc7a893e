"""Every command of `provisioner`, run against a deployed stack."""

import pytest

from handler.targets import Status
from local.environment import send_events
from provisioner import subscription
from tests.deployed.application import BOTH, GMAIL, SLACK, missing, until
from tests.deployed.operator_commands import ACCOUNT_EVENT, Operator


def status(operator: Operator, user: str) -> str:
    return operator.at.statuses([user])[user]


def test_webhook_is_connected_once_and_its_secret_rotated_with_an_overlap(
    operator: Operator,
) -> None:
    (mine,) = operator.secret()["webhook_secrets"]
    assert "connect-webhook" in operator.run("rotate-webhook-secret", "--yes", code=1).output
    first = operator.json("connect-webhook")
    made = operator.subscription()

    assert made["webhook_url"] == f"{operator.at.stack.api_url}/webhooks/composio"
    assert (made["enabled_events"], made["version"]) == ([ACCOUNT_EVENT], "V3")
    assert operator.secret()["webhook_secrets"] == [made["secret"], mine]
    assert first["secret_added"]
    again = operator.json("connect-webhook")
    assert (again["changed"], again["secret_added"]) == ([], False)
    assert operator.subscription() == made

    assert operator.json("rotate-webhook-secret", "--yes")["accepted"] == 3
    new = operator.subscription()["secret"]
    assert operator.secret()["webhook_secrets"] == [new, made["secret"], mine]
    assert new not in operator.run("rotate-webhook-secret", "--end", "--yes").output
    assert operator.secret()["webhook_secrets"] == [new]


def test_a_subscription_of_somebody_else_is_taken_over_after_a_yes_only(
    operator: Operator,
) -> None:
    other = {"webhook_url": "https://elsewhere.invalid/hook", "version": "V3"}
    operator.subscription("POST", enabled_events=["composio.trigger.disabled"], **other)
    before = operator.subscription()

    operator.run("connect-webhook", says="n\n", code=1)
    assert operator.subscription() == before
    operator.run("connect-webhook", says="y\n")
    after = operator.subscription()
    assert after["webhook_url"].startswith(operator.at.stack.api_url)
    assert set(after["enabled_events"]) == {ACCOUNT_EVENT, "composio.trigger.disabled"}


def test_subscription_that_somebody_makes_meanwhile_is_changed(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.run("connect-webhook")
    operator.subscription("PATCH", enabled_events=["composio.trigger.disabled"])
    read, unread = subscription.current, iter([True])
    # As if there were none at the first reading.
    monkeypatch.setattr(
        subscription, "current", lambda transport: None if next(unread, None) else read(transport)
    )

    operator.run("connect-webhook")

    assert ACCOUNT_EVENT in operator.subscription()["enabled_events"]
    posts = operator.at.composio.ledger(method="POST", path="*/webhook_subscriptions")
    assert [post["status"] for post in posts] == [201, 409]


def test_events_of_the_simulator_are_accepted_after_a_rotation(operator: Operator) -> None:
    stack, composio = operator.at.stack, operator.at.composio
    send_events(composio, stack)
    operator.run("connect-webhook")
    operator.run("rotate-webhook-secret", "--yes")
    operator.run("rotate-webhook-secret", "--end", "--yes")
    assert stack.webhook_secret not in operator.secret()["webhook_secrets"]

    for auth_config in BOTH:
        composio.add_account("user_1", auth_config, webhook=True)

    until(lambda: status(operator, "user_1") == "ready", "its events are accepted")


def test_send_proves_the_signature_and_changes_nothing_or_takes_an_account(
    operator: Operator,
) -> None:
    before = operator.at.scan()
    assert operator.json("send")["answer"]["ignored"]
    assert operator.at.scan() == before
    account = operator.at.composio.add_account("user_1", GMAIL)
    (told,) = operator.json("send", "--account", account)["answer"]["targets"]
    assert (told["status"], missing(told)) == ("waiting", [SLACK])


def test_user_and_list_show_the_status_of_each_user_and_why(operator: Operator) -> None:
    operator.fail("user_1", "user_2")
    assert operator.at.connect("user_3", *BOTH).instance == ("ready", [])
    assert operator.at.connect("user_4", GMAIL).instance == ("waiting", [SLACK])
    operator.at.composio.add_fault(method="POST", path="*/instances", status=503, times=None)
    assert operator.at.connect("user_5", *BOTH).instance == ("retrying", [])

    def users(*wanted: str) -> list[str]:
        options = [part for one in wanted for part in ("--status", one)]
        return [one["user_id"] for one in operator.json("list", *options)["targets"]]

    assert users("failed") == ["user_1", "user_2"]
    assert users("ready") == ["user_3"]
    assert users("waiting") == ["user_4"]
    assert users("retrying") == users("creating", "retrying") == ["user_5"]
    assert users() == ["user_1", "user_2", "user_4", "user_5"]
    assert operator.json("list", "--limit", "1")["total"] == 4
    assert operator.json("list", "--target", "srv_other")["total"] == 0

    (told,) = operator.json("user", "user_1")["targets"]
    assert (told["status"], told["attempts"], told["last_error"]["status"]) == ("failed", 1, 422)
    shown = operator.run("user", "user_1").stdout
    assert "422" in shown
    assert GMAIL in shown
    assert operator.json("watch", "--times", "1")["statuses"] == {str(one): 0 for one in Status} | {
        "waiting": 1, "ready": 1, "retrying": 1, "failed": 2
    }  # fmt: skip
    assert "user_2" in operator.run("watch", "--times", "1").stdout


def test_stack_that_does_not_exist_is_an_error(operator: Operator) -> None:
    said = operator.run("--stack-name", "other", "list", code=1).output

    assert "there is no stack other" in said
    assert "sam deploy" in said


def test_composio_that_is_down_is_a_message(operator: Operator) -> None:
    operator.at.composio.add_fault(path="*", status=503, times=None)

    assert "Composio" in operator.run("connect-webhook", code=1).output
