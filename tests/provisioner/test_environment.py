"""The command prepares the environment before anything reads it."""

import pytest

from provisioner.environment import prepare
from provisioner.errors import Trouble
from provisioner.stack import connect

LOOPBACK = "localhost,127.0.0.1,::1"


def prepared(**environment: str) -> dict[str, str]:
    prepare(environment)
    return environment


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("10.0.0.0/8,fd00::/8, .corp ,*.corp,host:8080", ".corp,*.corp,host:8080"),
        ("[::1],::1,[fd00::1]", "::1,::1,fd00::1"),
        ("*", "*"),
        ("[,, ,", ""),
    ],
)
def test_no_proxy_keeps_what_httpx_understands(
    given: str, understood: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        assert prepared(**{name: given}) == {name: understood}
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", understood)
    connect("https://composio.invalid").close()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "a"}, {"NO_PROXY": f"a,{LOOPBACK}"}),
        ({"all_proxy": "http://p"}, {"NO_PROXY": LOOPBACK}),
        ({"https_proxy": "p", "NO_PROXY": "a", "no_proxy": "b"}, {"no_proxy": f"b,{LOOPBACK}"}),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, {"NO_PROXY": "*"}),
        ({"HTTPS_PROXY": ""}, {}),
    ],
)
def test_a_proxy_is_not_used_for_loopback_addresses(
    environment: dict[str, str], expected: dict[str, str]
) -> None:
    assert prepared(**environment) == environment | expected


def test_the_settings_of_lambda_are_removed() -> None:
    assert prepared(AWS_LAMBDA_RUNTIME_API="x", POWERTOOLS_LOG_LEVEL="?", HOME="/") == {"HOME": "/"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HTTPS_PROXY", "socks5://x"),
        ("HTTPS_PROXY", "http://[::1"),
        ("ALL_PROXY", "ftp://user:hidden@x"),
        ("SSL_CERT_FILE", "/nowhere/at/all"),
    ],
)
def test_an_unusable_variable_is_named_but_not_quoted(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)

    with pytest.raises(Trouble, match="no HTTP client can be made") as trouble:
        connect("https://composio.invalid")
    assert name in trouble.value.remedy
    assert text not in f"{trouble.value}{trouble.value.remedy}"
