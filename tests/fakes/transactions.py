"""TransactWriteItems: everything or nothing, and the same token at most once."""

from typing import Any, NamedTuple

from tests.fakes.capacity import READ_UNIT, consumed, index_write_units, write_units
from tests.fakes.errors import InvalidRequestError, refused, service_error
from tests.fakes.requests import Request, check_enums, check_shape
from tests.fakes.sizes import item_size
from tests.fakes.table import Image, Table
from tests.fakes.values import copied_item
from tests.fakes.writes import FAILED, Intent, intent

OPERATION = "TransactWriteItems"
MAX_ACTIONS = 100
TOKEN_SECONDS = 600.0
_ACTIONS = ("Update", "Put", "Delete", "ConditionCheck")

type _Planned = tuple[str, Request, Intent]


class Attempt(NamedTuple):
    """What a ClientRequestToken was used for, and when."""

    at: float
    actions: Any
    images: tuple[tuple[Image, Image], ...]


def transact(
    table: Table, request: Request, attempts: dict[str, Attempt], now: float
) -> dict[str, Any]:
    """The whole of TransactWriteItems."""
    asked, token = request.get("ReturnConsumedCapacity"), request.get("ClientRequestToken")
    planned = [_planned(table, entry) for entry in request["TransactItems"]]
    _check(planned)
    actions = repr(request["TransactItems"])
    earlier = attempts.get(token) if token else None
    if earlier and now - earlier.at < TOKEN_SECONDS:
        if earlier.actions != actions:
            raise service_error(
                OPERATION,
                "IdempotentParameterMismatchException",
                "Request token already in use for another request with a different payload",
            )
        # Nothing is done again; what it costs is a transactional read of each item.
        sizes = (item_size(new or old or {}) for old, new in earlier.images)
        units = sum(2.0 * max(1, -(-size // READ_UNIT)) for size in sizes)
        return _cost(asked, table, units, 0.0, "ReadCapacityUnits")
    images = _images(planned)
    for (_, _, wanted), (old, new) in zip(planned, images, strict=True):
        table.commit(wanted.identity, old, new)
    if token:
        attempts[token] = Attempt(now, actions, images)
    written = sum(2.0 * write_units(old, new) for old, new in images)
    indexed = sum(index_write_units(old, new) for old, new in images)
    return _cost(asked, table, written, indexed, "WriteCapacityUnits")


def _cost(asked: str | None, table: Table, units: float, index: float, unit: str) -> dict[str, Any]:
    report = consumed(asked, table.name, units, index, unit)
    return {name: [one] for name, one in report.items()}


def _planned(table: Table, entry: Request) -> _Planned:
    if not isinstance(entry, dict) or not entry.keys() <= {*_ACTIONS}:
        raise refused(f"Unknown parameter in TransactItems: {entry!r}")
    if len(entry) != 1:
        raise InvalidRequestError(
            "TransactItems can only contain one of Check, Put, Update or Delete"
        )
    [(action, request)] = entry.items()
    check_shape(action, request)
    check_enums(action, request)
    if request["TableName"] != table.name:
        raise service_error(OPERATION, "ResourceNotFoundException", "Requested resource not found")
    return action, request, intent(table, request)


def _check(planned: list[_Planned]) -> None:
    if not 1 <= len(planned) <= MAX_ACTIONS:
        raise InvalidRequestError(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
            f"Member must have length between 1 and {MAX_ACTIONS}"
        )
    if len({wanted.identity for _, _, wanted in planned}) < len(planned):
        raise InvalidRequestError(
            "Transaction request cannot include multiple operations on one item"
        )


def _images(planned: list[_Planned]) -> tuple[tuple[Image, Image], ...]:
    """Before and after of every action; raises the cancellation if any cannot be done."""
    images, reasons = [], []
    for action, request, wanted in planned:
        reason: dict[str, Any] = {"Code": "None"}
        new = wanted.old
        if not wanted.holds:
            reason = {"Code": "ConditionalCheckFailed", "Message": FAILED}
            asked = request.get("ReturnValuesOnConditionCheckFailure")
            if asked == "ALL_OLD" and wanted.old is not None:
                reason["Item"] = copied_item(wanted.old)
        elif action != "ConditionCheck":
            try:
                new = wanted.image(action)
            except InvalidRequestError as problem:
                reason = {"Code": "ValidationError", "Message": str(problem)}
        images.append((wanted.old, new))
        reasons.append(reason)
    codes = [reason["Code"] for reason in reasons]
    if set(codes) != {"None"}:
        raise service_error(
            OPERATION,
            "TransactionCanceledException",
            "Transaction cancelled, please refer cancellation reasons for specific reasons "
            f"[{', '.join(codes)}]",
            CancellationReasons=reasons,
        )
    return tuple(images)
