"""What goes wrong, in botocore's own classes and DynamoDB's own words."""

from typing import Any, ClassVar

from botocore.exceptions import ClientError, ParamValidationError


class InvalidRequestError(Exception):
    """A ValidationException in the making: the client adds the operation's name."""


class ConditionalCheckFailedException(ClientError):
    """A condition was false; `response["Item"]` holds the item if the caller asked for it."""


class TransactionCanceledException(ClientError):
    """A transaction did nothing; `response["CancellationReasons"]` says why, action by action."""


class IdempotentParameterMismatchException(ClientError):
    """A ClientRequestToken came back with other parameters."""


class ResourceNotFoundException(ClientError):
    """There is no such table."""


class Exceptions:
    """`client.exceptions`: like the real one it has no ValidationException, a bare ClientError."""

    ConditionalCheckFailedException = ConditionalCheckFailedException
    IdempotentParameterMismatchException = IdempotentParameterMismatchException
    ResourceNotFoundException = ResourceNotFoundException
    TransactionCanceledException = TransactionCanceledException

    by_code: ClassVar[dict[str, type[ClientError]]] = {
        kind.__name__: kind
        for kind in (
            ConditionalCheckFailedException,
            IdempotentParameterMismatchException,
            ResourceNotFoundException,
            TransactionCanceledException,
        )
    }


def metadata(status: int) -> dict[str, Any]:
    """A ResponseMetadata such as boto3 puts into every answer."""
    return {"RequestId": "FAKE", "HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0}


def service_error(operation: str, code: str, message: str, **fields: object) -> ClientError:
    """The exception that boto3 raises for an answer with an error; `fields` are the error's own."""
    kind = Exceptions.by_code.get(code, ClientError)
    response: Any = {
        **fields,
        "Error": {"Message": message, "Code": code},
        "ResponseMetadata": metadata(400),
    }
    if kind is not ClientError:
        response["message"] = message
    error: ClientError = kind(response, operation)
    return error


def refused(report: str) -> ParamValidationError:
    """What botocore raises before anything is sent."""
    return ParamValidationError(report=report)
