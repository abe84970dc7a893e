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
        ("", "it is not JSON"),
        ("hidden", "it is not JSON"),
        ('["hidden"]', "it is not a JSON object"),
        ('"hidden"', "it is not a JSON object"),
        ('{"webhook_secrets": "hidden"}', "webhook_secrets is not a list"),
        ('{"webhook_secrets": null}', "webhook_secrets is not a list"),
    ],
)
def test_a_secret_that_the_functions_cannot_read_is_trouble_and_not_quoted(
    text: str, wrong: str
) -> None:
    secrets: Any = Secrets(text)
    found = stack_of(World(), secretsmanager=secrets)

    with pytest.raises(SecretUnusable):
        Credentials(secrets, "secret", time.time).api_key()
    with pytest.raises(Trouble, match=f"not of the form that the functions read: {wrong}") as one:
        read(found)
    assert "hidden" not in str(one.value)


@pytest.mark.parametrize("text", ['{"composio_api_key": "ak_…"}', '{"composio_api_key": null}'])
def test_a_key_that_the_functions_do_not_use_is_none_here_either(text: str) -> None:
    secrets: Any = Secrets(text)

    assert Credentials(secrets, "secret", time.time).api_key() == ""
    found = read(stack_of(World(), secretsmanager=secrets))
    assert not found.has_api_key
    assert len(found.flaws) == 1


@pytest.mark.parametrize("key", ["", " ", "\n"])
def test_a_key_of_nothing_is_no_key(key: str) -> None:
    assert not Secret({"composio_api_key": key}).has_api_key
    assert not Secret({}).has_api_key


def test_a_secret_keeps_what_it_has_and_shows_nothing() -> None:
    new, old, older = (f"whsec_invented_{name}" for name in ("new", "old", "older"))
    kept = Secret({"composio_api_key": HIDDEN, "webhook_secrets": [old, "…", older], "note": 1})
    changed = kept.accepting([new, *kept.webhook_secrets, old])

    assert changed.content == {**kept.content, "webhook_secrets": [new, old, older]}
    assert kept.flaws == ("webhook_secrets[1] is a placeholder",)
    assert HIDDEN not in repr(changed)
    assert json.dumps(dict(kept.content))
