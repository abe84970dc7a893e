"""UpdateItem, PutItem and DeleteItem, and the same three inside a transaction."""

from typing import Any, NamedTuple

from tests.fakes.capacity import consumed, index_write_units, write_units
from tests.fakes.errors import service_error
from tests.fakes.paths import projected
from tests.fakes.plans import Writing, placeholders, writing
from tests.fakes.requests import Request
from tests.fakes.schema import Identity, identity, identity_of
from tests.fakes.table import Image, Table, check_item
from tests.fakes.values import Item, admitted_item, copied_item

FAILED = "The conditional request failed"


class Intent(NamedTuple):
    """A write that is understood, but neither decided nor done."""

    identity: Identity
    plan: Writing
    values: Item
    item: Item
    old: Image

    @property
    def holds(self) -> bool:
        """Whether the condition is true of what is there."""
        test = self.plan.condition
        return test is None or test(self.old or {}, self.values)

    def image(self, action: str) -> Image:
        """What would be there afterwards, checked."""
        if action.startswith("Delete"):
            return None
        if self.plan.change:
            new = self.plan.change(self.old, self.item, self.values)
        elif action.startswith("Update"):
            new = self.old or self.item
        else:
            new = self.item
        if new is not None:
            check_item(new)
        return new


def intent(table: Table, request: Request) -> Intent:
    """Read a write; raises what is wrong with it whatever the table holds."""
    given, values = placeholders(request, "ConditionExpression", "UpdateExpression")
    plan = writing(request.get("ConditionExpression"), request.get("UpdateExpression"), given)
    for check in plan.checks:
        check(values)
    if "Item" in request:
        item = admitted_item(request["Item"])
        who = identity_of(item)
    else:
        who = identity(request["Key"])
        item = {"pk": {"S": who[0]}, "sk": {"S": who[1]}}
    return Intent(who, plan, values, item, table.rows.get(*who))


def write(table: Table, operation: str, request: Request) -> dict[str, Any]:
    """One write of its own."""
    wanted = intent(table, request)
    old = wanted.old
    if not wanted.holds:
        fields = {}
        if old is not None and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
            fields["Item"] = copied_item(old)
        raise service_error(operation, "ConditionalCheckFailedException", FAILED, **fields)
    new = wanted.image(operation)
    table.commit(wanted.identity, old, new)
    answer = {}
    returned = _returned(request.get("ReturnValues"), wanted, new)
    if returned:
        answer["Attributes"] = copied_item(returned)
    asked = request.get("ReturnConsumedCapacity")
    if asked is not None:
        answer |= consumed(asked, table.name, write_units(old, new), index_write_units(old, new))
    return answer


def _returned(asked: str | None, wanted: Intent, new: Image) -> Image:
    match asked:
        case "ALL_NEW":
            return new
        case "ALL_OLD":
            return wanted.old
        case "UPDATED_NEW":
            return projected(new or {}, wanted.plan.targets)
        case "UPDATED_OLD":
            return projected(wanted.old or {}, wanted.plan.targets)
        case _:
            return None
