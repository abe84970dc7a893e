"""What boto3's DynamoDB client accepts, by botocore's model of it, and what it raises."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.exceptions import ClientError, ParamValidationError
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.fakes.expressions import NotSupported

type Request = Mapping[str, Any]

_SUPPORTED = {
    "GetItem": {"TableName", "Key", "ConsistentRead"},
    "PutItem": {"TableName", "Item", "ConditionExpression"},
    "DeleteItem": {"TableName", "Key"},
    "UpdateItem": {"TableName", "Key", "UpdateExpression", "ConditionExpression", "ReturnValues"},
    "Query": {"TableName", "IndexName", "KeyConditionExpression", "ConsistentRead", "Limit"},
    "Scan": {"TableName"},
}
_ALWAYS = {
    "ExclusiveStartKey",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnConsumedCapacity",
    "ReturnValuesOnConditionCheckFailure",
}
_RETURNED = {"NONE", "ALL_NEW"}
_valid: set[int] = set()
"""Hashes of valid requests, as the explorer sends the same ones many times."""


class ConditionalCheckFailedException(ClientError):
    """A condition was false; `response["Item"]` holds the item if it was requested."""


def service_error(operation: str, code: str, message: str, **fields: object) -> ClientError:
    """Return what boto3 raises for an error response; `fields` are further fields of it."""
    response: Any = {**fields, "Error": {"Message": message, "Code": code}}
    failed = code == ConditionalCheckFailedException.__name__
    return (ConditionalCheckFailedException if failed else ClientError)(response, operation)


def invalid(operation: str, message: str) -> ClientError:
    return service_error(operation, "ValidationException", message)


@cache
def _model() -> ServiceModel:
    session = botocore.session.get_session()
    return ServiceModel(
        session.get_component("data_loader").load_service_model("dynamodb", "service-2")
    )


def validate(operation: str, request: Request) -> None:
    """Refuse what botocore's model or this fake does not support."""
    sent = hash(f"{operation}{request!r}")
    if sent in _valid:
        return
    shape = _model().operation_model(operation).input_shape
    if report := ParamValidator().validate(request, shape).generate_report():  # type: ignore[arg-type]
        raise ParamValidationError(report=report)
    unknown = request.keys() - _SUPPORTED[operation] - _ALWAYS
    if unknown or request.get("ReturnValues", "NONE") not in _RETURNED:
        raise NotSupported(f"{operation} with {sorted(unknown) or request['ReturnValues']}")
    _valid.add(sent)
