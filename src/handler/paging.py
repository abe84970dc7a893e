"""How far the reading of a list that comes in pages is, and whether its pages repeat."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

MOST_PAGES = 100_000
"""A list of more pages has no end."""


class Place(NamedTuple):
    """The page that is to be read next, and one that was read before.

    The first, second, third, fifth, ninth page and so on is remembered until the next of them:
    pages that repeat come to it again, however many they are (Brent's algorithm). So a reading
    that is continued elsewhere notices it too.
    """

    cursor: str = ""
    """Of the page that is to be read; "" is the first."""
    pages: int = 0
    """How many were read before it."""
    seen_cursor: str = ""
    seen_ids: str = ""
    """A digest of the ids on the page that is remembered; "" where there are none."""

    def after(self, cursor: str, ids: Iterable[str]) -> "Place | None":
        """Return the place after this page, or None where the pages repeat.

        Args:
            cursor: Of the page that follows.
            ids: What this page lists.
        """
        text = "\n".join(ids)
        digest = hashlib.sha256(text.encode()).hexdigest()[:32] if text else ""
        repeats = cursor in {self.cursor, self.seen_cursor} or digest == self.seen_ids != ""
        if repeats or self.pages + 1 >= MOST_PAGES:
            return None
        if self.pages & (self.pages - 1) == 0:
            return Place(cursor, self.pages + 1, self.cursor, digest)
        return self._replace(cursor=cursor, pages=self.pages + 1)
