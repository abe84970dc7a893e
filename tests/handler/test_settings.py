"""All errors of the environment are reported together at the start."""

import pytest

from handler.settings import Settings, SettingsError, enrolled_servers

ENVIRONMENT = {
    "TABLE_NAME": "provisioner",
    "QUEUE_URL": "https://sqs.invalid/queue",
    "BUS_NAME": "bus",
    "SECRET_ID": "arn:aws:secretsmanager:eu-west-1:000000000000:secret:composio",
    "COMPOSIO_BASE_URL": "https://backend.composio.dev",
    "MCP_SERVER_IDS": "*",
    "AWS_REGION": "eu-west-1",
}


def read(**changes: str) -> Settings:
    return Settings.from_environment(ENVIRONMENT | changes)


def complaint(**changes: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(**changes)
    return str(caught.value)


def test_good_environment_is_read() -> None:
    settings = read()

    assert settings.table_name == ENVIRONMENT["TABLE_NAME"]
    assert settings.secret_id == ENVIRONMENT["SECRET_ID"]
    assert settings.composio_base_url == ENVIRONMENT["COMPOSIO_BASE_URL"]


def test_every_missing_variable_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({})

    assert str(caught.value) == (
        "TABLE_NAME: Field required; SECRET_ID: Field required; QUEUE_URL: Field required; "
        "BUS_NAME: Field required; COMPOSIO_BASE_URL: Field required; "
        "MCP_SERVER_IDS: Field required"
    )


def test_connect_start_form_needs_a_return_url() -> None:
    assert complaint(CONNECT_START="form").startswith("CONNECT_START: ")
    assert read(CONNECT_START="form", RETURN_URL="https://app.invalid/x").connect_start == "form"


def test_every_wrong_variable_is_named_at_once_without_its_value() -> None:
    said = complaint(
        TABLE_NAME="", SECRET_ID="", COMPOSIO_BASE_URL="http://a.invalid", MCP_SERVER_IDS="b,,c"
    )

    assert [part.split(":")[0] for part in said.split("; ")] == [
        "TABLE_NAME",
        "SECRET_ID",
        "COMPOSIO_BASE_URL",
        "MCP_SERVER_IDS",
    ]
    assert "invalid" not in said
    assert "b,,c" not in said


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://backend.composio.dev/", "https://backend.composio.dev"),
        ("https://proxy.example:8443/composio/", "https://proxy.example:8443/composio"),
        ("http://[::1]:9900", "http://[::1]:9900"),
    ],
)
def test_base_url_ends_without_a_slash(given: str, used: str) -> None:
    assert read(COMPOSIO_BASE_URL=given).composio_base_url == used


def test_base_url_must_be_https() -> None:
    """Further URLs: tests/template/test_patterns.py."""
    assert complaint(COMPOSIO_BASE_URL="http://backend.composio.dev") == (
        "COMPOSIO_BASE_URL: Value error, must be https, or http on loopback: a host, and perhaps a"
        " port and a path, in printable ASCII"
    )


@pytest.mark.parametrize(
    ("given", "enrolled"),
    [
        ("*", None),
        ("", set()),
        ("srv_1", {"srv_1"}),
        ("srv_1,srv_2,srv_1", {"srv_1", "srv_2"}),
    ],
)
def test_servers_are_enrolled_by_id_or_all_of_them(given: str, enrolled: set[str] | None) -> None:
    assert enrolled_servers(read(MCP_SERVER_IDS=given).mcp_server_ids) == enrolled
