"""From an event to an instance in the deployed application: API, function, table, Composio."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from handler.settings import Settings
from tests.deployed.application import BOTH, GMAIL, SERVER, SLACK, Deployed, event, someone, until
from tests.deployed.delivery import signed


def at_once[T](*calls: Callable[[], T]) -> list[T]:
    """Make all the calls at once, each in a thread of its own."""
    barrier = Barrier(len(calls))

    def call(one: Callable[[], T]) -> T:
        barrier.wait()
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def test_the_first_account_waits_for_exactly_the_other_one_and_the_second_makes_it_ready(
    deployed: Deployed,
) -> None:
    user = someone("ada")
    assert deployed.connect(user, GMAIL).instance == ("waiting", [SLACK])
    assert deployed.row(user) == {}
    assert deployed.posts(user)["posts"] == 0
    assert deployed.connect(user, SLACK).instance == ("ready", [])
    row = deployed.row(user)
    assert row["status"] == "ready"
    assert row["record"] == deployed.record(user) | {"mcp_server_id": SERVER}
    assert deployed.posts(user)["posts"] == 1


def test_two_events_at_the_same_instant_create_one_instance_with_one_call(
    deployed: Deployed,
) -> None:
    for _ in range(20):
        user = someone("twin")
        bodies = [event(deployed.account(user, one)) for one in BOTH]
        answers = at_once(*(lambda body=body: deployed.send(body) for body in bodies))
        assert [answer.status for answer in answers] == [200, 200]
        assert {answer.instance[0] for answer in answers} <= {"waiting", "creating", "ready"}
        assert deployed.row(user)["status"] == "ready"
        assert deployed.row(user)["record"]["id"] == deployed.record(user)["id"]
        posts = deployed.posts(user)
        assert (posts["posts"], posts["created"], posts["max_in_flight"]) == (1, 1, 1)


def test_the_same_delivery_eight_times_in_parallel_makes_one_call(deployed: Deployed) -> None:
    user = someone("echo")
    deployed.connect(user, GMAIL)
    body = event(deployed.account(user, SLACK))
    headers = signed(body, *deployed.secrets)
    answers = at_once(*[lambda: deployed.post(body, headers)] * 8)
    assert {answer.status_code for answer in answers} == {200}
    statuses = {answer.json()["targets"][0]["status"] for answer in answers}
    assert statuses <= {"creating", "ready"}
    assert deployed.row(user)["status"] == "ready"
    assert deployed.posts(user)["posts"] == 1


def test_an_older_fact_after_a_newer_one_changes_nothing(deployed: Deployed) -> None:
    user = someone("late")
    gmail = deployed.account(user, GMAIL)
    older = gmail | {"status": "EXPIRED", "updated_at": "2020-01-01T00:00:00Z"}
    assert deployed.send(event(gmail)).instance == ("waiting", [SLACK])
    before = deployed.item(user, "ACCOUNTS")
    assert deployed.send(event(older)).instance == ("waiting", [SLACK])
    assert deployed.item(user, "ACCOUNTS") == before
    deployed.connect(user, SLACK)
    rows = deployed.item(user), deployed.item(user, "ACCOUNTS")
    assert deployed.send(event(older)).instance == ("ready", [])
    assert (deployed.item(user), deployed.item(user, "ACCOUNTS")) == rows
    assert deployed.posts(user)["posts"] == 1


def test_an_account_that_expires_before_the_other_connects_is_missing_again(
    deployed: Deployed,
) -> None:
    user = someone("lapsed")
    gmail = deployed.account(user, GMAIL)
    deployed.send(event(gmail))
    deployed.composio.change_account(gmail["id"], status="EXPIRED")
    expired = deployed.show(gmail["id"])
    assert deployed.send(event(expired)).instance == ("waiting", [GMAIL, SLACK])
    assert deployed.connect(user, SLACK).instance == ("waiting", [GMAIL])
    assert deployed.posts(user)["posts"] == 0


def test_without_a_user_id_the_account_is_looked_up_at_composio(deployed: Deployed) -> None:
    user = someone("nameless")
    for auth_config_id, status in zip(BOTH, ("waiting", "ready"), strict=True):
        account = deployed.account(user, auth_config_id)
        body = event({name: value for name, value in account.items() if name != "user_id"})
        assert deployed.send(body).instance[0] == status
        path = f"*/connected_accounts/{account['id']}"
        # Once by this test and once by the application.
        assert len(deployed.composio.ledger(method="GET", path=path)) == 2
    assert deployed.row(user)["record"]["id"] == deployed.record(user)["id"]


def test_events_that_composio_sends_itself_twice_and_all_at_once_end_ready(
    deployed: Deployed,
) -> None:
    user = someone("browser")
    composio = deployed.composio
    composio.set_options(activated_event="account")
    target = f"{deployed.stack.api_url}/webhooks/composio"
    composio.set_webhook(target, deployed.secrets[0], "another-secret-in-a-roll-over")
    accounts = [{"user_id": user, "auth_config_id": each} for each in BOTH]
    for webhook_id in composio.add_accounts(accounts, webhook=True)["webhook_ids"]:
        composio.redeliver(webhook_id)
    attempts = composio.wait_for_deliveries(timeout=60)
    mine = {one["id"] for one in composio.state()["accounts"] if one["user_id"] == user}
    assert [one["status"] for one in attempts if one["account_id"] in mine] == [200] * 4
    until(lambda: deployed.row(user).get("status") == "ready", "the instance is ready")
    assert deployed.posts(user)["posts"] == 1


def test_the_environment_of_the_function_is_what_the_settings_read(deployed: Deployed) -> None:
    given = set(deployed.environment()) - {"POWERTOOLS_SERVICE_NAME", "RELEASE", "_PUBLISHED"}
    assert given == {name.upper() for name in Settings.model_fields}


def test_what_is_stored_of_a_user_is_facts_and_no_more(deployed: Deployed) -> None:
    user = someone("plain")
    deployed.send(event(deployed.account(user, GMAIL), state={"val": {"access_token": "tok-1"}}))
    assert "tok-1" not in json.dumps(list(deployed.scan().values()))
