"""The stack's secret: what is wrong with it is said, and nothing of it is shown."""

import json
import time
from typing import Any

import pytest

from handler.credentials import Credentials, SecretUnusable
from provisioner.errors import Trouble
from provisioner.secret import Secret, read
from tests.provisioner.found_stack import stack_of
from tests.world import World

HIDDEN = "ak_hidden"


class Secrets:
    """Secrets Manager that holds this text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_secret_value(self, **_: str) -> dict[str, str]:
        return {"SecretString": self.text}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "all of it"),
        ("hidden", "all of it"),
        ('["hidden"]', "all of it"),
        ('"hidden"', "all of it"),
        ('{"webhook_secrets": "hidden"}', "webhook_secrets"),
        ('{"webhook_secrets": ["hidden", 1]}', "webhook_secrets.1"),
        ('{"composio_api_key": "ak_hidden…", "webhook_secrets": []}', "composio_api_key"),
        ('{"composio_api_key": 1}', "composio_api_key"),
        ('{"composio_api_key": null}', "composio_api_key"),
    ],
)
def test_a_secret_that_the_functions_cannot_read_is_trouble_and_not_quoted(
    text: str, wrong: str
) -> None:
    secrets: Any = Secrets(text)
    found = stack_of(World(), secretsmanager=secrets)

    with pytest.raises(SecretUnusable):
        Credentials(secrets, "secret", time.time).api_key()
    with pytest.raises(Trouble, match=f"not of the form that the functions read: {wrong}:") as one:
        read(found)
    assert "hidden" not in str(one.value)


@pytest.mark.parametrize("key", ["", " ", "\n"])
def test_a_key_of_nothing_is_no_key(key: str) -> None:
    assert not Secret({"composio_api_key": key}).has_api_key
    assert not Secret({}).has_api_key


def test_a_secret_keeps_what_it_has_and_shows_nothing() -> None:
    kept = Secret({"composio_api_key": HIDDEN, "webhook_secrets": ["a", "b"], "note": 1})
    changed = kept.accepting(["c", *kept.webhook_secrets, "a"])

    assert changed.content == {**kept.content, "webhook_secrets": ["c", "a", "b"]}
    assert HIDDEN not in repr(changed)
    assert json.dumps(dict(kept.content))
