"""Rows by partition, copied on the first write after a snapshot."""

from collections.abc import Mapping

from tests.fakes.values import Item

type Partitions[K] = Mapping[str, Mapping[K, Item]]


class Rows[K]:
    """A table or an index: partition, then key, then item."""

    def __init__(self) -> None:
        self._partitions: dict[str, dict[K, Item]] = {}
        # The partitions copied since the last snapshot; None: not even the outer dict was.
        self._owned: set[str] | None = set()

    def get(self, partition: str, key: K) -> Item | None:
        """One item."""
        rows = self._partitions.get(partition)
        return rows.get(key) if rows else None

    def partition(self, partition: str) -> Mapping[K, Item]:
        """Every item of a partition, unsorted."""
        return self._partitions.get(partition, {})

    @property
    def partitions(self) -> Partitions[K]:
        """All there is."""
        return self._partitions

    def put(self, partition: str, key: K, item: Item) -> None:
        """Write one item."""
        self._own(partition)[key] = item

    def remove(self, partition: str, key: K) -> None:
        """Delete one item."""
        self._own(partition).pop(key, None)

    def _own(self, partition: str) -> dict[K, Item]:
        if self._owned is None:
            self._partitions = self._partitions.copy()
            self._owned = set()
        if partition not in self._owned:
            self._partitions[partition] = dict(self._partitions.get(partition, {}))
            self._owned.add(partition)
        return self._partitions[partition]

    def freeze(self) -> dict[str, dict[K, Item]]:
        """The state, for `thaw`; from here on every write makes its own copy first."""
        self._owned = None
        return self._partitions

    def thaw(self, partitions: dict[str, dict[K, Item]]) -> None:
        """Go back to a frozen state."""
        self._partitions = partitions
        self._owned = None
