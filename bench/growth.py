"""Whether an event costs the same with many users, accounts and MCP servers as with one.

Counted on the stand-in for DynamoDB: round trips, capacity units and instructions do not depend
on how fast an emulator searches. A table is filled with other users' rows as the function itself
writes them.
"""

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bench import measure, samples
from bench.running import VALGRIND, Subject
from bench.setup import Setup
from bench.stub import TABLE

MOST_USERS = 1_000_000 if os.environ.get("FULL") else 100_000
AXES = {
    "users in the table": (1, 1000, MOST_USERS),
    "accounts of the user": (1, 50, 500),
    "enrolled MCP servers, one concerned": (1, 50, 500),
}
MANY = 12
"""Events of the longer of two runs whose difference is counted."""
USERS = 2 + 1 + MANY
"""One for each event: two to look at a warm one, and those of the two runs."""


@dataclass(frozen=True)
class Row:
    """What a warm completing event costs at a size; `instructions` are millions, if counted."""

    size: int
    trips: tuple[int, int, int]
    reads: float
    writes: float
    instructions: float | None


def grown(setup: Setup, subject: Subject) -> dict[str, list[Row]]:
    """Return the costs along each axis."""
    every = replace(subject, environment={"MCP_SERVER_IDS": "*"})
    ways = ((subject, _more_users), (subject, _connect), (every, _enroll))
    return {
        axis: [_row(setup, one, size, prepare) for size in sizes]
        for (one, prepare), (axis, sizes) in zip(ways, AXES.items(), strict=True)
    }


def _row(setup: Setup, subject: Subject, size: int, prepare: Callable[[Setup, int], None]) -> Row:
    setup.begin(subject, USERS)
    prepare(setup, size)
    names = iter(samples.users("completing", USERS))

    def some(count: int) -> list[Any]:
        return [samples.event("completing", next(names), queued=False) for _ in range(count)]

    with setup.start(subject) as function:
        _, warm = [setup.invoke(function, event) for event in some(2)]
    counted = None
    if VALGRIND:
        one, many = (measure.instructions(setup, subject, *some(count)) for count in (1, MANY))
        counted = (many - one) / (MANY - 1)
    return Row(size, warm.trips, warm.reads, warm.writes, counted)


def _rows(setup: Setup, pk: str) -> list[dict[str, Any]]:
    answer: Any = setup.aws.dynamodb.query(
        TableName=TABLE,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
    )
    return copy.deepcopy(answer["Items"])


def _more_users(setup: Setup, size: int) -> None:
    rows = _rows(setup, "USER#repeated0")
    for number in range(size):
        for row in rows:
            setup.aws.dynamodb.put_item(
                TableName=TABLE, Item={**row, "pk": {"S": f"USER#other{number}"}}
            )


def _connect(setup: Setup, size: int) -> None:
    for user in samples.users("completing", USERS):
        (row,) = _rows(setup, f"USER#{user}")
        fact = next(value for name, value in row.items() if name.startswith("account#"))
        more = {f"account#ca_{user}_{number:04}": fact for number in range(size)}
        setup.aws.dynamodb.put_item(TableName=TABLE, Item=row | more)


def _enroll(setup: Setup, size: int) -> None:
    row = next(one for one in _rows(setup, "CATALOG") if one["sk"]["S"].startswith("SERVER#"))
    for number in range(size):
        other = {
            "sk": {"S": f"SERVER#srv_{number}"},
            "server_id": {"S": f"srv_{number}"},
            "required": {"L": [{"S": f"ac_{number}"}, {"S": "ac_another"}]},
        }
        setup.aws.dynamodb.put_item(TableName=TABLE, Item=row | other)
