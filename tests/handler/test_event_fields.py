"""Fields of an event that are malformed, too long, or in another place than usual."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from handler.events import AccountEvent, ConnectedAccount, NotAnEnvelope, parse, read, timestamp
from tests.handler.envelopes import DATA, FACT, MISSING, complaint, envelope, fact

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
