"""Events are read leniently, except for the fields that decide."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.events import AccountEvent, Ignored, NotAnEnvelope, parse, read
from tests.handler.envelopes import DATA, FACT, MISSING, complaint, envelope, fact


def test_documented_event_becomes_a_fact() -> None:
    assert parse(envelope()) == AccountEvent("ca_mail1", FACT, "user-123")
    assert parse(envelope().encode()) == AccountEvent("ca_mail1", FACT, "user-123")


@pytest.mark.parametrize("field", ["user_id", "auth_config", "status", "updated_at"])
@pytest.mark.parametrize("value", [MISSING, None])
def test_event_that_lacks_a_deciding_field_names_the_account_only(
    field: str, value: object
) -> None:
    user_id = None if field == "user_id" else "user-123"

    assert parse(envelope(**{field: value})) == AccountEvent("ca_mail1", None, user_id)


def test_empty_status_counts_as_missing() -> None:
    assert parse(envelope(status="")) == AccountEvent("ca_mail1", None, "user-123")


@pytest.mark.parametrize(
    "field", sorted(DATA.keys() - {"id", "user_id", "auth_config", "status", "updated_at"})
)
@pytest.mark.parametrize("value", [MISSING, None])
def test_other_fields_may_be_missing(field: str, value: object) -> None:
    assert fact(**{field: value}) == FACT


def test_unknown_fields_and_schemes_are_accepted() -> None:
    auth_config = DATA["auth_config"] | {"auth_scheme": "TELEPATHY", "colour": {"r": 1}}

    assert fact(auth_config=auth_config, state=[1], data="text", brand_new={"a": [None]}) == FACT


@pytest.mark.parametrize("status", ["ACTIVE", "EXPIRED", "HIBERNATING"])
@pytest.mark.parametrize("suffix", ["expired", "active", "", "v2.deleted"])
def test_status_counts_and_not_the_suffix_of_the_type(suffix: str, status: str) -> None:
    account = fact(kind=f"composio.connected_account.{suffix}", status=status)

    assert account.status == status
    assert account.active is (status == "ACTIVE")


@pytest.mark.parametrize(
    ("own", "of_auth_config", "active"),
    [
        (False, None, True),
        (None, False, True),
        (True, False, False),
        (None, True, False),
    ],
)
def test_disabled_account_or_auth_config_does_not_count(
    *, own: bool | None, of_auth_config: bool | None, active: bool
) -> None:
    auth_config = {"id": "ac_mail", "is_disabled": of_auth_config}

    assert fact(is_disabled=own, auth_config=auth_config).active is active


@pytest.mark.parametrize(
    "body",
    [
        # V3
        {"type": "composio.trigger.message", "id": "msg_1", "metadata": {}, "data": {"a": 1}},
        {"type": "composio.connected_accounts", "data": {"id": "ca_mail1"}},
        {"type": "composio.something.new", "data": None},
        # V2
        {
            "type": "github_commit_event",
            "timestamp": "2026-01-15T10:30:00Z",
            "log_id": "log_1",
            "data": {"connection_id": "1", "connection_nano_id": "ca_1", "user_id": "user-123"},
        },
    ],
)
def test_genuine_event_about_something_else_is_ignored(body: dict[str, object]) -> None:
    assert parse(json.dumps(body)) == Ignored("the event is not about a connected account")


def test_first_payload_version_is_ignored() -> None:
    body = {"trigger_name": "commit", "trigger_id": "1", "connection_id": "1", "payload": {}}

    assert parse(json.dumps(body)) == Ignored("the payload is version V1")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "composio.trigger.message"},
        {"type": "", "data": {}},
        {"type": 5, "data": {}},
        {"type": ["composio.connected_account.expired"], "data": DATA},
        {"trigger_name": "commit"},
        {"trigger_name": 5, "payload": {}},
        {"data": DATA},
    ],
)
def test_other_objects_are_rejected(body: dict[str, object]) -> None:
    assert complaint(json.dumps(body)).startswith("the body is not Composio's envelope")


@pytest.mark.parametrize("body", ["[]", '"text"', "5", "null", "true", "NaN"])
def test_json_that_is_not_an_object_is_rejected(body: str) -> None:
    assert complaint(body) == "the body is not a JSON object"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\xff",
        envelope().encode()[:-1],
        envelope().encode() + b"x",
        envelope(alias="é").replace("\\u00e9", "é").encode("latin-1"),
        b"type=composio.connected_account.expired",
        "[" * 100_000,
        '{"data":' * 100_000,
        "9" * 5000,
    ],
    ids=["empty", "bytes", "cut", "more", "latin-1", "form", "deep list", "deep object", "integer"],
)
def test_text_that_is_not_json_is_rejected_and_not_repeated(body: bytes | str) -> None:
    assert complaint(body) == "the body is not JSON"


@given(body=st.binary() | st.text(st.characters(exclude_categories=())))
def test_any_body_is_read_or_refused(body: bytes | str) -> None:
    complaint(body)


@pytest.mark.parametrize("data", [{}, {"id": 7}, {"connected_account_id": "a b"}, [], None, "ca_1"])
def test_event_without_an_account_id_is_rejected(data: object) -> None:
    with pytest.raises(NotAnEnvelope, match="data"):
        read({"type": "composio.connected_account.activated", "data": data})
