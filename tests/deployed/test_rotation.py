"""Keys and secrets change while the application runs, and nobody deploys it again.

A function fetches its secret again when it is turned away, though not within ten seconds of the
last time: so these tests poll.
"""

from tests.deployed.application import BOTH, GMAIL, Deployed, event, someone, until


def test_both_webhook_secrets_are_accepted_while_both_are_listed_and_then_only_the_new_one(
    deployed: Deployed,
) -> None:
    (old,) = deployed.secrets
    new = "whsec_invented_anew"
    body = event(deployed.account(someone("rolled"), GMAIL))
    assert deployed.send(body, old).status == 200
    deployed.put_secret(new, old)
    until(lambda: deployed.send(body, new).status == 200, "the new secret is accepted")
    assert [deployed.send(body, one).status for one in (old, new)] == [200, 200]
    deployed.put_secret(new)
    # In place of the five minutes after which the secret is fetched again.
    deployed.renew()
    before = deployed.scan()
    later = event(deployed.account(someone("too-late"), GMAIL))
    assert deployed.send(later, old).status == 401
    assert deployed.scan() == before
    assert deployed.send(later, new).status == 200


def test_the_create_after_a_rotation_of_the_api_key_succeeds_without_a_deploy(
    deployed: Deployed,
) -> None:
    assert deployed.connect(someone("before"), *BOTH).instance == ("ready", [])
    deployed.composio.set_api_keys("ak_rotated")
    deployed.put_secret(api_key="ak_rotated")

    def ready() -> str:
        user = someone("after")
        status, _ = deployed.connect(user, *BOTH).instance
        assert status in {"ready", "retrying"}
        assert deployed.row(user)["status"] == status
        return user if status == "ready" else ""

    user = until(ready, "a create with the new key")
    # Turned away with the old one, and let in within the same invocation.
    assert deployed.posts(user)["statuses"] == {"401": 1, "201": 1}
