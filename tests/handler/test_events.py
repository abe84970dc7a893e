"""Events are read leniently, except for the fields that decide."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from handler.events import (
    Account,
    AccountEvent,
    ConnectedAccount,
    Ignored,
    NotAnEnvelope,
    parse,
    read,
    timestamp,
)

# Every field that Composio documents for `composio.connected_account.expired`.
DATA: dict[str, Any] = {
    "id": "ca_mail1",
    "toolkit": {"slug": "gmail"},
    "auth_config": {
        "id": "ac_mail",
        "auth_scheme": "OAUTH2",
        "is_composio_managed": True,
        "is_disabled": False,
        "deprecated": {"uuid": "00000000-0000-4000-8000-000000000001"},
    },
    "word_id": "gmail_red-castle",
    "alias": None,
    "user_id": "user-123",
    "status": "ACTIVE",
    "status_reason": None,
    "is_disabled": False,
    "created_at": "2026-01-15T10:00:00.000Z",
    "updated_at": "2026-01-15T10:30:00.123Z",
    "state": {
        "authScheme": "OAUTH2",
        "val": {"status": "ACTIVE", "access_token": "ya29.invented", "expires_in": 3599},
    },
    "data": {},
    "params": {},
    "test_request_endpoint": "",
    "requested_scopes": ["mail"],
    "experimental": {"account_type": "PRIVATE"},
}
FACT = Account(
    id="ca_mail1",
    user_id="user-123",
    auth_config_id="ac_mail",
    status="ACTIVE",
    is_disabled=False,
    updated_at="2026-01-15T10:30:00.123000Z",
)
MISSING = object()


def envelope(*, kind: object = "composio.connected_account.expired", **changes: object) -> str:
    data = {name: value for name, value in (DATA | changes).items() if value is not MISSING}
    return json.dumps(
        {
            "id": "msg_9c8b7a6d-5e4f-4a3b-2c1d-0e9f8a7b6c5d",
            "timestamp": "2026-01-15T10:30:01Z",
            "type": kind,
            "metadata": {"project_id": "pr_1", "org_id": "ok_1"},
            "data": data,
        }
    )


def fact(**changes: object) -> Account:
    event = parse(envelope(**changes))
    assert isinstance(event, AccountEvent)
    assert event.account
    return event.account


def complaint(body: bytes | str) -> str:
    with pytest.raises(NotAnEnvelope) as caught:
        parse(body)
    return str(caught.value)


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


SECRET = "do-not-tell"
MALFORMED: dict[str, list[object]] = {
    "id": [MISSING, None, 5, "", f"ca/{SECRET}", f"{SECRET}\n", "x" * 129, "ca_\ud800"],
    "user_id": ["", 5, True, [SECRET], f"{SECRET}\ud800"],
    "status": [5, {"text": SECRET}, f"{SECRET}\ud800"],
    "is_disabled": ["false", 0],
    "auth_config": [SECRET, [], {}, {"id": f"ac {SECRET}"}, {"id": "ac", "is_disabled": SECRET}],
    "updated_at": [
        *(SECRET, "", True, [SECRET], f"2026-01-15T10:30:00Z {SECRET}"),
        *("2026-02-30T10:30:00Z", "10000-01-01T00:00:00Z"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"),
        *(10**400, -(10**30), float("inf"), float("nan")),
    ],
    "created_at": [SECRET],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field in MALFORMED for value in MALFORMED[field]]
)
def test_malformed_field_is_named_and_its_value_is_not(field: str, value: object) -> None:
    said = complaint(envelope(**{field: value}))

    assert said.startswith(f"data.{field}")
    assert SECRET not in said
    assert said.isascii()


def test_exception_of_the_model_holds_no_value_either() -> None:
    with pytest.raises(ValidationError) as caught:
        ConnectedAccount.model_validate(DATA | {"status": [SECRET]})

    assert SECRET not in str(caught.value)


def test_every_malformed_field_is_named_at_once() -> None:
    said = complaint(envelope(id=5, status=5, updated_at=SECRET))

    assert [part.split(":")[0] for part in said.split("; ")] == [
        "data.id",
        "data.status",
        "data.updated_at",
    ]


@pytest.mark.parametrize("data", [None, [], "text", 5])
def test_account_event_without_an_account_is_malformed(data: object) -> None:
    body = json.dumps({"type": "composio.connected_account.expired", "data": data})

    assert complaint(body).startswith("data: ")
    assert complaint('{"type": "composio.connected_account.expired"}').startswith("data: ")


@pytest.mark.parametrize("user_id", ["x" * 1024, "é" * 512, " ", "a,b/c?d#e\x00"])
def test_user_id_of_1024_bytes_is_taken_as_it_is(user_id: str) -> None:
    assert fact(user_id=user_id).user_id == user_id


@pytest.mark.parametrize("user_id", ["x" * 1025, "é" * 512 + "x"])
def test_user_id_of_1025_bytes_is_too_long(user_id: str) -> None:
    said = complaint(envelope(user_id=user_id))

    assert said == "data.user_id: Value error, not text of 1 to 1024 bytes"


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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=50)
@given(
    changes=st.dictionaries(
        st.sampled_from(["id", "user_id", "auth_config", "status", "is_disabled", "updated_at"]),
        JSON | st.builds(dict, id=st.just("ac_1"), is_disabled=JSON),
    )
)
def test_any_account_is_read_or_refused(changes: dict[str, object]) -> None:
    try:
        event = parse(envelope(**changes))
    except NotAnEnvelope as error:
        assert str(error).startswith("data.")  # noqa: PT017 - either outcome is fine
    else:
        assert isinstance(event, AccountEvent)
        assert event.account is None or event.account.id == event.account_id


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-01-15T10:30:00Z", "2026-01-15T10:30:00.000000Z"),
        ("2026-01-15T10:30:00.1Z", "2026-01-15T10:30:00.100000Z"),
        ("2026-01-15T10:30:00.123456789Z", "2026-01-15T10:30:00.123456Z"),
        ("2026-01-15T16:00:00+05:30", "2026-01-15T10:30:00.000000Z"),
        ("2026-01-15T00:30:00-10:00", "2026-01-15T10:30:00.000000Z"),
        ("2026-01-15T10:30:00", "2026-01-15T10:30:00.000000Z"),
        ("2026-01-15 10:30:00Z", "2026-01-15T10:30:00.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        (1768473000, "2026-01-15T10:30:00.000000Z"),
    ],
)
def test_moment_is_kept_in_utc_with_six_decimals(sent: object, kept: str) -> None:
    assert fact(updated_at=sent).updated_at == kept


MOMENTS = st.datetimes(
    # A day from the ends, so that every zone has them.
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - the zone is drawn
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
        lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
    ),
)


@settings(max_examples=50)
@given(one=MOMENTS, other=MOMENTS)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    texts = [fact(updated_at=moment.isoformat()).updated_at for moment in (one, other)]

    assert (texts[0] < texts[1]) is (one < other)
    assert (texts[0] == texts[1]) is (one == other)
    assert texts[0] == timestamp(one)


def test_user_known_from_elsewhere_completes_a_fact() -> None:
    account = ConnectedAccount.model_validate(
        {name: value for name, value in DATA.items() if name != "user_id"}
    )

    assert account.fact() is None
    assert account.fact("user-123") == FACT
    assert account.created_at == datetime(2026, 1, 15, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "metadata"),
    [
        ({"connected_account_id": "ca_1", "user_id": "user_1"}, {}),
        ({"connected_account_id": "ca_1", "id": "evt_7"}, {"user_id": "user_1"}),
        ({"user_id": "user_1"}, {"connected_account_id": "ca_1"}),
        ({"id": "evt_7"}, {"connected_account_id": "ca_1", "user_id": "user_1"}),
        ({"id": "ca_1", "user_id": "user_1"}, {"project_id": "pr_1"}),
        ({"id": "ca_1", "user_id": "user_1"}, None),
    ],
)
def test_event_may_name_its_account_and_user_in_several_places(
    data: dict[str, str], metadata: dict[str, str] | None
) -> None:
    event = {"type": "composio.connected_account.activated", "data": data, "metadata": metadata}

    assert read(event) == AccountEvent("ca_1", None, "user_1")


def test_account_with_the_same_id_in_data_and_metadata_is_a_fact() -> None:
    event = json.loads(envelope(kind="composio.connected_account.activated"))
    event["metadata"] = {"connected_account_id": "ca_mail1"}

    assert read(event) == AccountEvent("ca_mail1", FACT, "user-123")


@pytest.mark.parametrize(
    "odd",
    [
        {"metadata": ["pr_1"]},
        {"metadata": "pr_1"},
        {"metadata": {"connected_account_id": 7, "user_id": ""}},
        {"data": DATA | {"connected_account_id": {"id": "ca_1"}}},
    ],
)
def test_complete_account_needs_no_readable_metadata(odd: dict[str, object]) -> None:
    event = json.loads(envelope(kind="composio.connected_account.activated"))

    assert read(event | odd) == AccountEvent("ca_mail1", FACT, "user-123")


@pytest.mark.parametrize("data", [{}, {"id": 7}, {"connected_account_id": "a b"}, [], None, "ca_1"])
def test_event_without_an_account_id_is_rejected(data: object) -> None:
    with pytest.raises(NotAnEnvelope, match="data"):
        read({"type": "composio.connected_account.activated", "data": data})
