"""Whether an event costs the same with many users, accounts and servers as with one.

Counted on the stand-in for DynamoDB: round trips, capacity units and instructions do not depend
on how fast an emulator searches. A table is filled with other users' rows as the function itself
writes them.
"""

import copy
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bench import measure, story
from bench.running import VALGRIND, Subject
from bench.scene import Happened, Scene
from bench.stub import TABLE

MOST_USERS = 1_000_000 if os.environ.get("FULL") else 100_000
AXES = {
    "users in the table": (1, 1000, MOST_USERS),
    "accounts of the user": (1, 50, 500),
    "enrolled servers, one concerned": (1, 50, 500),
}
MANY = 12
"""Events between two runs whose difference is counted."""


@dataclass(frozen=True)
class Row:
    """What a warm completing event costs at a size; `instructions` are millions, if counted."""

    size: int
    trips: tuple[int, int, int]
    reads: float
    writes: float
    cpu_ms: float
    instructions: float | None


def grown(scene: Scene, subject: Subject) -> dict[str, list[Row]]:
    """Return the costs along each axis."""
    ways = (users, accounts, servers)
    return {
        axis: list(way(scene, subject, sizes))
        for way, (axis, sizes) in zip(ways, AXES.items(), strict=True)
    }


def users(scene: Scene, subject: Subject, sizes: tuple[int, ...]) -> Iterator[Row]:
    """Yield the costs with so many other users in the table."""
    for size in sizes:
        yield _row(scene, subject, size, partial(_crowd, scene, size))


def accounts(scene: Scene, subject: Subject, sizes: tuple[int, ...]) -> Iterator[Row]:
    """Yield the costs with so many more connected accounts of the same user."""
    for size in sizes:
        yield _row(scene, subject, size, partial(_connect, scene, size))


def servers(scene: Scene, subject: Subject, sizes: tuple[int, ...]) -> Iterator[Row]:
    """Yield the costs with so many enrolled servers, of which one is concerned."""
    subject = replace(subject, environment={"MCP_SERVER_IDS": "*"})
    for size in sizes:
        yield _row(scene, subject, size, partial(_enroll, scene, size))


def _row(scene: Scene, subject: Subject, size: int, prepare: Callable[[], None]) -> Row:
    number = 2 * MANY + 2
    scene.begin(subject, number)
    prepare()
    names = iter(story.people("completing", number))

    def some(count: int) -> list[Any]:
        return [story.event("completing", next(names), queued=False) for _ in range(count)]

    with scene.start(subject) as function:
        happened: list[Happened] = [scene.happen(function, event) for event in some(MANY)]
    counted = None
    if VALGRIND:
        one, many = (measure.instructions(scene, subject, *some(count)) for count in (1, MANY))
        counted = (many - one) / (MANY - 1)
    warm = happened[1:]
    cpu = sorted(each.cpu_seconds for each in warm)[len(warm) // 2] * 1e3
    return Row(size, warm[-1].trips, warm[-1].reads, warm[-1].writes, cpu, counted)


def _rows(scene: Scene, pk: str) -> list[dict[str, Any]]:
    answer: Any = scene.aws.dynamodb.query(
        TableName=TABLE,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
    )
    return copy.deepcopy(answer["Items"])


def _crowd(scene: Scene, size: int) -> None:
    rows = _rows(scene, "USER#elsewhere0")
    for number in range(size):
        for row in rows:
            scene.aws.dynamodb.put_item(
                TableName=TABLE, Item={**row, "pk": {"S": f"USER#other{number}"}}
            )


def _connect(scene: Scene, size: int) -> None:
    for user in story.people("completing", 2 * MANY + 2):
        (row,) = _rows(scene, f"USER#{user}")
        fact = next(value for name, value in row.items() if name.startswith("account#"))
        more = {f"account#ca_{user}_{number:04}": fact for number in range(size)}
        scene.aws.dynamodb.put_item(TableName=TABLE, Item=row | more)


def _enroll(scene: Scene, size: int) -> None:
    row = next(one for one in _rows(scene, "CATALOG") if one["sk"]["S"].startswith("SERVER#"))
    for number in range(size):
        other = {
            "sk": {"S": f"SERVER#srv_{number}"},
            "server_id": {"S": f"srv_{number}"},
            "required": {"L": [{"S": f"ac_{number}"}, {"S": "ac_another"}]},
        }
        scene.aws.dynamodb.put_item(TableName=TABLE, Item=row | other)
