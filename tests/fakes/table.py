"""The state that requests read and change."""

from tests.fakes.errors import InvalidRequestError
from tests.fakes.schema import Identity, IndexRow, check_index_key, index_entry, index_row
from tests.fakes.sizes import is_larger
from tests.fakes.storage import Rows
from tests.fakes.values import Item

type Image = Item | None

MAX_ITEM = 400 * 1024


class Table:
    """The items, the index over those that have both its keys, and the stream of changes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: Rows[str] = Rows()
        self.index: Rows[IndexRow] = Rows()
        self.stream: list[tuple[Image, Image]] = []

    def commit(self, identity: Identity, old: Image, new: Image) -> None:
        """Put a checked item in another's place."""
        if old == new:
            return
        if new is None:
            self.rows.remove(*identity)
        else:
            self.rows.put(*identity, new)
        if old is not None and "due" in old and (entry := index_entry(old)):
            self.index.remove(entry["due"]["S"], index_row(entry))
        if new is not None and "due" in new and (entry := index_entry(new)):
            self.index.put(entry["due"]["S"], index_row(entry), entry)
        self.stream.append((old, new))


def check_item(item: Item) -> None:
    """What may be kept."""
    check_index_key(item)
    if is_larger(item, MAX_ITEM):
        raise InvalidRequestError("Item size has exceeded the maximum allowed size")
