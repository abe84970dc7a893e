"""What botocore and DynamoDB refuse before they look at any item."""

from collections.abc import Mapping
from typing import Any

from tests.fakes.errors import InvalidRequestError, refused

type Request = Mapping[str, Any]

_TYPES: dict[str, Any] = {
    "TableName": str,
    "Key": dict,
    "Item": dict,
    "UpdateExpression": str,
    "ConditionExpression": str,
    "KeyConditionExpression": str,
    "FilterExpression": str,
    "ProjectionExpression": str,
    "ExpressionAttributeNames": dict,
    "ExpressionAttributeValues": dict,
    "ReturnValues": str,
    "ReturnValuesOnConditionCheckFailure": str,
    "ReturnConsumedCapacity": str,
    "ConsistentRead": bool,
    "IndexName": str,
    "Limit": int,
    "ExclusiveStartKey": dict,
    "ScanIndexForward": bool,
    "Select": str,
    "TransactItems": (list, tuple),
    "ClientRequestToken": str,
}
_WRITE = (
    "ConditionExpression ExpressionAttributeNames ExpressionAttributeValues "
    "ReturnValuesOnConditionCheckFailure"
)
_SINGLE = f"{_WRITE} ReturnValues ReturnConsumedCapacity"
_READ = (
    "ConsistentRead ReturnConsumedCapacity ProjectionExpression FilterExpression Limit IndexName "
    "ExpressionAttributeNames ExpressionAttributeValues ExclusiveStartKey Select"
)
# Required before the bar, optional after it. What is legacy or unused here is unknown here.
_PARAMETERS = {
    "UpdateItem": f"TableName Key | UpdateExpression {_SINGLE}",
    "PutItem": f"TableName Item | {_SINGLE}",
    "DeleteItem": f"TableName Key | {_SINGLE}",
    "GetItem": "TableName Key | ConsistentRead ReturnConsumedCapacity ProjectionExpression "
    "ExpressionAttributeNames",
    "Query": f"TableName | KeyConditionExpression ScanIndexForward {_READ}",
    "Scan": f"TableName | {_READ}",
    "TransactWriteItems": "TransactItems | ClientRequestToken ReturnConsumedCapacity",
    "Update": f"TableName Key UpdateExpression | {_WRITE}",
    "Put": f"TableName Item | {_WRITE}",
    "Delete": f"TableName Key | {_WRITE}",
    "ConditionCheck": f"TableName Key ConditionExpression | {_WRITE}",
}
_SHAPES = {
    name: (frozenset(required.split()), frozenset((required + " " + optional).split()))
    for name, (required, optional) in (
        (name, text.split("|")) for name, text in _PARAMETERS.items()
    )
}
_RETURNED = {
    "UpdateItem": frozenset({"NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"}),
    "PutItem": frozenset({"NONE", "ALL_OLD"}),
    "DeleteItem": frozenset({"NONE", "ALL_OLD"}),
}
_ENUMS = {
    "ReturnValuesOnConditionCheckFailure": frozenset({"NONE", "ALL_OLD"}),
    "ReturnConsumedCapacity": frozenset({"NONE", "TOTAL", "INDEXES"}),
    "Select": frozenset(
        {"ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT"}
    ),
}


def check_shape(operation: str, request: Request) -> None:
    """The check that botocore makes: names and types of parameters."""
    required, known = _SHAPES[operation]
    for name, value in request.items():
        if name not in known:
            raise refused(
                f'Unknown parameter in input: "{name}", must be one of: {", ".join(sorted(known))}'
            )
        expected = _TYPES[name]
        # A bool is an int to Python, but not to botocore.
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise refused(f"Invalid type for parameter {name}, value: {value!r}")
    if not required <= request.keys():
        missing = ", ".join(sorted(required - request.keys()))
        raise refused(f'Missing required parameter in input: "{missing}"')
    if request.get("Limit", 1) < 1:
        raise refused("Invalid value for parameter Limit, valid min value: 1")


def check_enums(operation: str, request: Request) -> None:
    """The words that DynamoDB, not botocore, checks."""
    if "ReturnValues" in request:
        _check_enum("returnValues", request["ReturnValues"], _RETURNED[operation])
    for name, words in _ENUMS.items():
        if name in request:
            _check_enum(name, request[name], words)


def _check_enum(name: str, word: str, words: frozenset[str]) -> None:
    if word not in words:
        raise InvalidRequestError(
            f"1 validation error detected: Value '{word}' at '{name}' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(sorted(words))}]"
        )
