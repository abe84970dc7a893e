"""Secrets have an age, are fetched again when they are rejected, and are never told."""

import json
import logging
import traceback
from typing import cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from mypy_boto3_secretsmanager import SecretsManagerClient

from handler.credentials import Credentials, SecretUnusable
from tests.doubles import Clock, FakeSecretsManager, Log

SECRET_ID = "composio"
API_KEY = "ak_invented-key"
WEBHOOK_SECRET = "whsec_invented-secret"

DENIED = ClientError(
    {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "GetSecretValue"
)
UNREACHABLE = EndpointConnectionError(endpoint_url="https://secretsmanager.invalid")


@pytest.fixture
def store() -> FakeSecretsManager:
    store = FakeSecretsManager()
    store.keep(API_KEY, WEBHOOK_SECRET)
    return store


@pytest.fixture
def credentials(store: FakeSecretsManager, clock: Clock) -> Credentials:
    secrets = cast("SecretsManagerClient", store)
    return Credentials(secrets, SECRET_ID, clock=clock)


def test_secret_is_fetched_once_for_key_and_webhook_secrets(
    credentials: Credentials, store: FakeSecretsManager
) -> None:
    assert store.fetches == 0
    assert credentials.api_key() == API_KEY
    assert credentials.webhook_keys() == (WEBHOOK_SECRET.encode(),)
    assert store.fetches == 1


def test_several_webhook_secrets_are_accepted_in_order(
    credentials: Credentials, store: FakeSecretsManager
) -> None:
    store.keep(API_KEY, "new", "öld")

    assert credentials.webhook_keys() == (b"new", b"\xc3\xb6ld")


def test_webhook_secret_is_taken_as_it_is(
    credentials: Credentials, store: FakeSecretsManager
) -> None:
    store.keep(API_KEY, " whsec_aW52ZW50ZWQ= ")

    assert credentials.webhook_keys() == (b" whsec_aW52ZW50ZWQ= ",)


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
    clock.forward(10)
    store.keep("ak_next", WEBHOOK_SECRET)

    assert credentials.refresh() is True
    assert credentials.api_key() == "ak_next"
    assert store.fetches == 2


def test_refresh_tells_when_nothing_has_changed(
    credentials: Credentials, store: FakeSecretsManager, clock: Clock
) -> None:
    credentials.api_key()
    clock.forward(10)

    assert credentials.refresh() is False
    assert store.fetches == 2


def test_refresh_tells_of_a_changed_webhook_secret(
    credentials: Credentials, store: FakeSecretsManager, clock: Clock
) -> None:
    credentials.webhook_keys()
    clock.forward(10)
    store.keep(API_KEY, "new", WEBHOOK_SECRET)

    assert credentials.refresh() is True
    assert credentials.webhook_keys() == (b"new", WEBHOOK_SECRET.encode())


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


def test_next_secret_is_found_after_secrets_manager_failed(
    credentials: Credentials, store: FakeSecretsManager, clock: Clock
) -> None:
    credentials.api_key()
    store.failure = UNREACHABLE
    clock.forward(300)
    credentials.api_key()
    store.failure = None
    store.keep("ak_next")

    clock.forward(10)
    assert credentials.refresh() is True
    assert credentials.api_key() == "ak_next"


def test_without_a_secret_in_hand_the_caller_hears_of_it_until_there_is_one(
    credentials: Credentials, store: FakeSecretsManager
) -> None:
    store.failure = DENIED

    with pytest.raises(SecretUnusable, match="the secret cannot be read"):
        credentials.api_key()
    with pytest.raises(SecretUnusable):
        credentials.webhook_keys()
    store.failure = None
    assert credentials.api_key() == API_KEY


UNUSABLE = {
    "no JSON": f"{API_KEY}",
    "cut JSON": f'{{"composio_api_key": "{API_KEY}',
    "a list": json.dumps([API_KEY]),
    "a number": "5",
    "a number as key": json.dumps({"composio_api_key": 5, "webhook_secrets": [API_KEY]}),
    "one text for the list": json.dumps({"webhook_secrets": API_KEY}),
    "a number in the list": json.dumps({"webhook_secrets": [API_KEY, 5]}),
    "null": json.dumps({"composio_api_key": None, "webhook_secrets": [API_KEY]}),
    "a line end in the key": json.dumps({"composio_api_key": f"{API_KEY}\nx: {API_KEY}"}),
    "a control character in the key": json.dumps({"composio_api_key": f"{API_KEY}\x7f"}),
    "no ASCII in the key": json.dumps({"composio_api_key": f"{API_KEY}é"}),
}


@pytest.mark.parametrize("text", UNUSABLE.values(), ids=UNUSABLE)
def test_malformed_secret_is_unusable_and_nowhere_to_be_read(
    credentials: Credentials, store: FakeSecretsManager, log: Log, text: str
) -> None:
    store.text = text

    with pytest.raises(SecretUnusable) as caught:
        credentials.api_key()

    assert [(line["level"], line["message"]) for line in log.lines] == [
        ("ERROR", "the secret is not {composio_api_key, webhook_secrets}")
    ]
    told = log.text + "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert API_KEY not in told


@pytest.mark.parametrize("text", UNUSABLE.values(), ids=UNUSABLE)
def test_malformed_secret_does_not_replace_a_good_one(
    credentials: Credentials, store: FakeSecretsManager, clock: Clock, text: str
) -> None:
    credentials.api_key()
    store.text = text
    clock.forward(10)

    assert credentials.refresh() is False
    assert credentials.api_key() == API_KEY
    assert credentials.webhook_keys() == (WEBHOOK_SECRET.encode(),)


@pytest.mark.parametrize("pasted", [f"{API_KEY}\n", f" {API_KEY}\r\n", f"\t{API_KEY}"])
def test_api_key_loses_the_line_end_it_was_pasted_with(
    credentials: Credentials, store: FakeSecretsManager, pasted: str
) -> None:
    store.keep(pasted)

    assert credentials.api_key() == API_KEY


def test_secret_may_hold_one_half_and_more(
    credentials: Credentials, store: FakeSecretsManager
) -> None:
    store.text = json.dumps({"webhook_secrets": [WEBHOOK_SECRET], "note": "rotated in May"})

    assert credentials.webhook_keys() == (WEBHOOK_SECRET.encode(),)
    assert credentials.api_key() == ""


def test_secret_in_hand_does_not_show(
    credentials: Credentials, store: FakeSecretsManager, clock: Clock, log: Log
) -> None:
    credentials.api_key()
    store.failure = DENIED
    clock.forward(300)
    credentials.api_key()

    told = repr(credentials) + repr(vars(credentials)["_secret"]) + log.text
    assert API_KEY not in told
    assert WEBHOOK_SECRET not in told


@pytest.mark.parametrize("library", ["botocore.parsers", "botocore.endpoint"])
def test_aws_library_does_not_log_secrets_even_when_the_functions_log_all(
    caplog: pytest.LogCaptureFixture, library: str
) -> None:
    # The runtime sets this at the root for `LogLevel: DEBUG`; botocore then logs each response.
    caplog.set_level(logging.DEBUG)

    assert not logging.getLogger(library).isEnabledFor(logging.DEBUG)
