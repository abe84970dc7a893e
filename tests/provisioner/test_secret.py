"""Commands say what is wrong with the stack's secret, and show nothing of it."""

import json
import time
from typing import Any

import pytest

from handler.credentials import Credentials, SecretUnusable
from provisioner.errors import Trouble
from provisioner.secret import Secret, read
from tests.provisioner.found_stack import stack_of
from tests.world import World


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
        ('{"webhook_secrets": "hidden"}', "webhook_secrets is not a list"),
        ('{"webhook_secrets": null}', "webhook_secrets is not a list"),
    ],
)
def test_a_secret_that_the_functions_cannot_read_is_an_error(text: str, wrong: str) -> None:
    secrets: Any = Secrets(text)
    found = stack_of(World(), secretsmanager=secrets)

    with pytest.raises(SecretUnusable):
        Credentials(secrets, "secret", time.time).api_key()
    with pytest.raises(Trouble, match=f"not of the form that the functions read: {wrong}") as one:
        read(found)
    assert "hidden" not in str(one.value)


@pytest.mark.parametrize("key", ["ak_…", None])
def test_a_key_that_the_functions_do_not_use_does_not_count(key: str | None) -> None:
    secrets: Any = Secrets(json.dumps({"composio_api_key": key}))

    assert Credentials(secrets, "secret", time.time).api_key() == ""
    found = read(stack_of(World(), secretsmanager=secrets))
    assert not found.has_api_key
    assert len(found.flaws) == 1


@pytest.mark.parametrize("content", [{}, {"composio_api_key": " "}, {"composio_api_key": "\n"}])
def test_an_empty_key_does_not_count(content: dict[str, str]) -> None:
    assert not Secret(content).has_api_key


def test_accepting_another_webhook_secret_keeps_the_rest_and_shows_nothing() -> None:
    new, old, older = (f"whsec_invented_{name}" for name in ("new", "old", "older"))
    kept = Secret({"composio_api_key": "ak_h", "webhook_secrets": [old, "…", older], "note": 1})
    changed = kept.accepting([new, *kept.webhook_secrets, old])

    assert changed.content == {**kept.content, "webhook_secrets": [new, old, older]}
    assert kept.flaws == ("webhook_secrets[1] is a placeholder",)
    assert "ak_h" not in repr(changed)
