"""Secrets are cached for a time, fetched again when rejected, and never shown."""

import pytest
from botocore.exceptions import EndpointConnectionError

from handler.credentials import Credentials, SecretUnusable
from tests.doubles import Clock, FakeSecretsManager, Log
from tests.handler.stored_secret import API_KEY, DENIED, WEBHOOK_SECRET

NEXT_SECRET = "whsec_invented-next-one"
UNREACHABLE = EndpointConnectionError(endpoint_url="https://secretsmanager.invalid")


def test_secret_is_fetched_once_for_key_and_webhook_secrets(
    credentials: Credentials, store: FakeSecretsManager
) -> None:
    assert store.fetches == 0
    assert credentials.api_key() == API_KEY
    assert credentials.webhook_keys() == (WEBHOOK_SECRET.encode(),)
    assert store.fetches == 1


@pytest.mark.parametrize("pasted", ["{}\n", " {}\r\n", "\t{}"])
def test_spaces_and_line_ends_around_a_secret_are_dropped(
    credentials: Credentials, store: FakeSecretsManager, pasted: str
) -> None:
    store.keep(pasted.format(API_KEY), pasted.format(WEBHOOK_SECRET))

    assert credentials.api_key() == API_KEY
    assert credentials.webhook_keys() == (WEBHOOK_SECRET.encode(),)


def test_secret_is_kept_for_five_minutes(
    credentials: Credentials, store: FakeSecretsManager, clock: Clock
) -> None:
    credentials.api_key()
    store.keep("ak_next")

    clock.forward(299)
    assert credentials.api_key() == API_KEY
    clock.forward(1)
    assert credentials.api_key() == "ak_next"
    assert credentials.webhook_keys() == ()
    clock.forward(299)
    assert credentials.api_key() == "ak_next"
    assert store.fetches == 2


def test_rejected_secret_is_fetched_again_at_once(
    credentials: Credentials, store: FakeSecretsManager, clock: Clock
) -> None:
    credentials.api_key()
    for secret in (["ak_next", WEBHOOK_SECRET], ["ak_next", NEXT_SECRET, WEBHOOK_SECRET]):
        clock.forward(10)
        store.keep(*secret)

        assert credentials.refresh() is True
        assert credentials.api_key() == "ak_next"
        assert credentials.webhook_keys() == tuple(one.encode() for one in secret[1:])
    assert store.fetches == 3


def test_refresh_returns_false_when_nothing_has_changed(
    credentials: Credentials, store: FakeSecretsManager, clock: Clock
) -> None:
    credentials.api_key()
    clock.forward(10)

    assert credentials.refresh() is False
    assert store.fetches == 2


def test_flood_of_rejections_costs_one_call_in_ten_seconds(
    credentials: Credentials, store: FakeSecretsManager, clock: Clock
) -> None:
    credentials.api_key()
    store.keep("ak_next")

    for _ in range(40):
        clock.forward(0.25)
        credentials.refresh()

    assert store.fetches == 2
    assert credentials.api_key() == "ak_next"


def test_refresh_renews_the_age(
    credentials: Credentials, store: FakeSecretsManager, clock: Clock
) -> None:
    credentials.api_key()
    clock.forward(200)
    credentials.refresh()
    clock.forward(299)
    credentials.api_key()

    assert store.fetches == 2


@pytest.mark.parametrize("failure", [DENIED, UNREACHABLE])
def test_old_secret_is_kept_while_secrets_manager_fails(
    credentials: Credentials,
    store: FakeSecretsManager,
    clock: Clock,
    log: Log,
    failure: Exception,
) -> None:
    credentials.api_key()
    store.failure = failure
    clock.forward(300)

    assert credentials.api_key() == API_KEY
    assert [(line["level"], line["message"]) for line in log.lines] == [
        ("ERROR", "Secrets Manager cannot be read")
    ]
    clock.forward(10)
    assert credentials.refresh() is False
    assert credentials.webhook_keys() == (WEBHOOK_SECRET.encode(),)
    store.failure = None
    store.keep("ak_next")
    clock.forward(10)
    assert credentials.refresh() is True
    assert credentials.api_key() == "ak_next"


def test_first_read_raises_until_the_secret_can_be_read(
    credentials: Credentials, store: FakeSecretsManager
) -> None:
    store.failure = DENIED

    with pytest.raises(SecretUnusable, match="the secret cannot be read"):
        credentials.api_key()
    with pytest.raises(SecretUnusable):
        credentials.webhook_keys()
    store.failure = None
    assert credentials.api_key() == API_KEY
