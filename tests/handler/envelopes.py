"""Events as Composio documents them, with changes."""

import json
from typing import Any

import pytest

from handler.events import Account, AccountEvent, NotAnEnvelope, parse

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
