"""A secret of another form, weak secrets, and secrets in the log."""

import json
import logging
import string
import traceback
from random import Random

import pytest

from handler.credentials import LEAST_LENGTH, Credentials, SecretUnusable, flaw
from tests.doubles import Clock, FakeSecretsManager, Log
from tests.handler.stored_secret import API_KEY, DENIED, WEBHOOK_SECRET
from tests.template.sam_template import RESOURCES

UNUSABLE = {
    "nothing": "",
    "no JSON": f"{API_KEY}",
    "cut JSON": f'{{"composio_api_key": "{API_KEY}',
    "a list": json.dumps([API_KEY]),
    "a number": "5",
    "endless": "[" * 100_000,
    "one text for the list": json.dumps({"webhook_secrets": API_KEY}),
}


@pytest.mark.parametrize("text", UNUSABLE.values(), ids=UNUSABLE)
def test_malformed_secret_is_unusable_and_never_shown(
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


def test_malformed_secret_does_not_replace_a_good_one(
    credentials: Credentials, store: FakeSecretsManager, clock: Clock
) -> None:
    credentials.api_key()
    store.text = UNUSABLE["cut JSON"]
    clock.forward(10)

    assert credentials.refresh() is False
    assert credentials.api_key() == API_KEY
    assert credentials.webhook_keys() == (WEBHOOK_SECRET.encode(),)


PLACEHOLDERS = [
    "…",
    "...",
    "whsec_…",
    "whsec_...",
    "<the webhook secret>",
    "{{WEBHOOK_SECRET}}",
    "[webhook-secret-here]",
    "$COMPOSIO_WEBHOOK_SECRET",
    "${COMPOSIO_WEBHOOK_SECRET}",
    "whsec_xxxxxxxxxxxxxxxx",
    "****************",
    "0000000000000000",
    "your-webhook-secret",
    "whsec_your_secret_here",
    "my_webhook_secret_1",
    "WEBHOOK_SECRET_PLACEHOLDER",
    "please-change-me-now",
    "REPLACE_WITH_SECRET",
    "whsec_example_secret",
]

WEAK = {
    **dict.fromkeys(PLACEHOLDERS, "is a placeholder"),
    "": "is shorter than 16 characters",
    "  ": "is shorter than 16 characters",
    "fifteen-letters": "is shorter than 16 characters",
    " fifteen-letters ": "is shorter than 16 characters",
    "invented webhook secret": "is not printable ASCII without spaces",
    "invented\twebhook\tsecret": "is not printable ASCII without spaces",
    "invented\x7fwebhook-secret": "is not printable ASCII without spaces",
    "inventéd-webhook-secret": "is not printable ASCII without spaces",
    "\ud800invented-webhook-secret": "is not printable ASCII without spaces",
}


@pytest.mark.parametrize("weak", WEAK)
def test_weak_webhook_secret_is_never_a_key_and_is_logged_once(
    credentials: Credentials, store: FakeSecretsManager, clock: Clock, log: Log, weak: str
) -> None:
    store.keep(API_KEY, weak, WEBHOOK_SECRET)

    for _ in range(3):
        assert credentials.webhook_keys() == (WEBHOOK_SECRET.encode(),)
        clock.forward(300)

    assert credentials.api_key() == API_KEY
    (line,) = log.lines
    assert (line["level"], line["message"]) == ("ERROR", "a part of the secret is not used")
    assert line["flaws"] == [f"webhook_secrets[0] {WEAK[weak]}"]


@pytest.mark.parametrize(
    "strong",
    [WEBHOOK_SECRET, "sixteen-letters!", "whsec_9f86d081884c", "dGhpcyBpcyBhIHNlY3JldA+/="],
)
def test_realistic_webhook_secrets_are_accepted(strong: str) -> None:
    assert flaw(strong, LEAST_LENGTH) == ""


@pytest.mark.parametrize("letters", ["0123456789abcdef", f"{string.ascii_letters}0123456789-_"])
def test_random_secrets_are_not_taken_for_placeholders(letters: str) -> None:
    draws = Random(1)  # noqa: S311

    for length in (*range(16, 65),) * 20:
        assert flaw("".join(draws.choices(letters, k=length)), LEAST_LENGTH) == ""


@pytest.mark.parametrize("odd", [None, 5, True, ["a"], {"a": 1}])
def test_one_invalid_entry_does_not_affect_the_others(
    credentials: Credentials, store: FakeSecretsManager, log: Log, odd: object
) -> None:
    secrets = [odd, WEBHOOK_SECRET]
    store.text = json.dumps({"composio_api_key": odd, "webhook_secrets": secrets})

    assert credentials.webhook_keys() == (WEBHOOK_SECRET.encode(),)
    assert credentials.api_key() == ""
    (line,) = log.lines
    assert line["flaws"] == ["composio_api_key is not a text", "webhook_secrets[0] is not a text"]


@pytest.mark.parametrize(
    "key",
    [
        f"{API_KEY}\nx: {API_KEY}",
        f"{API_KEY}\x7f",
        f"{API_KEY}é",
        f"{API_KEY} {API_KEY}",
        f"{API_KEY}…",
        "ak_…",
        "ak_xxxxxxxxxxxx",
        f"<{API_KEY}>",
        "your_api_key",
    ],
)
def test_invalid_api_key_is_never_used_and_does_not_affect_webhook_secrets(
    credentials: Credentials, store: FakeSecretsManager, log: Log, key: str
) -> None:
    store.keep(key, WEBHOOK_SECRET)

    assert credentials.api_key() == ""
    assert credentials.webhook_keys() == (WEBHOOK_SECRET.encode(),)
    (line,) = log.lines
    assert line["flaws"][0].startswith("composio_api_key is ")
    assert API_KEY not in log.text


def test_empty_secret_of_the_template_is_not_reported(
    credentials: Credentials, store: FakeSecretsManager, log: Log
) -> None:
    store.text = RESOURCES["Secret"]["Properties"]["SecretString"]

    assert (credentials.api_key(), credentials.webhook_keys()) == ("", ())
    assert log.lines == []


def test_secret_may_lack_the_api_key_and_have_other_fields(
    credentials: Credentials, store: FakeSecretsManager
) -> None:
    store.text = json.dumps({"webhook_secrets": [WEBHOOK_SECRET], "note": "rotated in May"})

    assert credentials.webhook_keys() == (WEBHOOK_SECRET.encode(),)
    assert credentials.api_key() == ""


def test_secret_appears_in_no_log_and_no_repr(
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
