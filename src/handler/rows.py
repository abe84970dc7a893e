"""What a row of the table looks like: values to items and back, without a call.

| pk | sk | holds |
|---|---|---|
| `USER#<user_id>` | `ACCOUNTS` | an attribute `account#<id>` per connected account |
| `USER#<user_id>` | `INSTANCE#<server_id>` | the instance and the claim on it |
| `CATALOG` | `SERVER#<server_id>` | the auth configs that an MCP server requires |
| `CATALOG` | `SYNCED` | when the catalog was last read at Composio |
| `SWEEP` | `WATERMARK` | how far recent accounts have been read |
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handler.events import Account
from handler.instances import Instance, Server, Settlement, Status

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    type Item = Mapping[str, AttributeValueTypeDef]

ACCOUNTS = "ACCOUNTS"
ACCOUNT = "account#"
"""Prefix of the attributes that hold accounts: an id can then never name another attribute."""

_IN_THE_NAMES = ("id", "user_id")
"""What the key of the row, or the name of the attribute, says of an account."""

INSTANCE = "INSTANCE#"
"""Prefix of the sort keys of instances."""

DUE = "due"
"""Name of the sparse index, of its partition key, and the one value of that key. One partition
takes 1,000 writes a second, and Composio's largest plan 167 calls a second."""

CATALOG = "CATALOG"
SYNCED_KEY = {"pk": CATALOG, "sk": "SYNCED"}
WATERMARK_KEY = {"pk": "SWEEP", "sk": "WATERMARK"}


def to_item(values: Mapping[str, Any]) -> dict[str, "AttributeValueTypeDef"]:
    """Return the values with DynamoDB's types around them.

    Raises:
        TypeError: A value is of no type that rows have.
    """
    return {name: _typed(value) for name, value in values.items()}


def from_item(item: "Item") -> dict[str, Any]:
    """Return the item's plain values; every number is whole."""
    return {name: _plain(typed) for name, typed in item.items()}


def accounts_key(user_id: str) -> dict[str, str]:
    """Return the key of the row that holds the user's accounts."""
    return {"pk": f"USER#{user_id}", "sk": ACCOUNTS}


def instance_key(user_id: str, server_id: str) -> dict[str, str]:
    """Return the key of the row that holds the instance."""
    return {"pk": f"USER#{user_id}", "sk": INSTANCE + server_id}


def instance_ids(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the user and the MCP server that the key of an instance names."""
    return row["pk"].removeprefix("USER#"), row["sk"].removeprefix(INSTANCE)


def account_to_row(account: Account) -> dict[str, Any]:
    """Return the attribute that holds the account."""
    return {name: value for name, value in account._asdict().items() if name not in _IN_THE_NAMES}


def accounts_from_row(user_id: str, row: Mapping[str, Any]) -> tuple[Account, ...]:
    """Return the accounts in the row."""
    return tuple(
        Account(id=name.removeprefix(ACCOUNT), user_id=user_id, **value)
        for name, value in row.items()
        if name.startswith(ACCOUNT)
    )


def instance_from_row(row: Mapping[str, Any]) -> Instance:
    """Return the instance in the row."""
    user_id, server_id = instance_ids(row)
    return Instance(
        user_id=user_id,
        server_id=server_id,
        status=Status(row["status"]),
        attempts=row["attempts"],
        claim_token=row["claim_token"],
        due_at=row.get("due_at"),
        missing=frozenset(row.get("missing", ())),
        record=row.get("record"),
        last_error=row.get("last_error"),
    )


def settlement_to_row(settlement: Settlement, *, now: int) -> dict[str, Any]:
    """Return the attributes that a settlement sets, and, as None, those that it removes."""
    error = settlement.problem and settlement.problem._asdict() | {"at": now}
    if error:
        del error["retry_after"]
    return {
        "status": settlement.status.value,
        "settled_at": now,
        "missing": sorted(settlement.missing) or None,
        "record": settlement.record,
        "due": None if settlement.due_in is None else DUE,
        "due_at": None if settlement.due_in is None else now + settlement.due_in,
        "last_error": error,
    }


def server_key(server_id: str) -> dict[str, str]:
    """Return the key of the row of the catalog that holds the server."""
    return {"pk": CATALOG, "sk": f"SERVER#{server_id}"}


def server_to_row(server: Server) -> dict[str, Any]:
    """Return the attributes that hold the server."""
    return {
        "server_id": server.id,
        "required": sorted(server.required),
        "name": server.name,
        "gone": server.gone,
    }


def server_from_row(row: Mapping[str, Any]) -> Server:
    """Return the server in the row."""
    return Server(
        id=row["server_id"],
        required=frozenset(row["required"]),
        name=row["name"],
        gone=row["gone"],
    )


# boto3 has these two as classes, and importing it costs each cold start a twelfth.
def _typed(value: object) -> "AttributeValueTypeDef":
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case Mapping():
            return {"M": to_item(value)}
        case list() | tuple():
            return {"L": [_typed(one) for one in value]}
    raise TypeError(f"a row has no {type(value).__name__}")


def _plain(typed: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- a value of any type
    ((kind, value),) = typed.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return int(value)
        case "M":
            return from_item(value)
        case "L":
            return [_plain(one) for one in value]
    return value
