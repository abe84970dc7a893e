"""What the tests of the walks over accounts share."""

from handler.walk_table import BACKFILL, Walk
from tests.world import NOW, TARGET, World

LONG_AGO = NOW - 10**6


def users(number: int) -> list[str]:
    return [f"user_{one:03}" for one in range(number)]


def connect_long_ago(world: World, number: int, page: int = 2) -> set[str]:
    """Let so many users connect everything before the sweep looks, and request a back-fill."""
    world.upstream.page = page
    for user in users(number):
        world.connect(user, created=LONG_AGO)
    world.walk_table.request_backfill(TARGET, at=int(world.now))
    return set(users(number))


def backfill(world: World) -> None:
    """Work off a back-fill without a sweep."""
    world.sqs.put({"task": "backfill", "target": TARGET.sort_key})
    while world.sqs.messages:
        world.work()


def take_backfill(world: World, target: str, lease: int = 40) -> Walk | None:
    name, now = BACKFILL + target, int(world.now)
    return world.walk_table.take(name, token=target, mine="", now=now, lease=lease)


def watermark(world: World) -> int:
    (row,) = (one for one in world.target_table.table.partition("SWEEP") if "read_until" in one)
    return int(row["read_until"])
