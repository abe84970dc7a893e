"""Puts tables into a page, each between the two comments that name its place."""

import re
from collections.abc import Mapping


def filled(page: str, tables: Mapping[str, str]) -> str:
    """Return the page with its tables made anew.

    Raises:
        SystemExit: The page has no place for one of them.
    """
    for name, table in tables.items():
        place = rf"(?s)(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        page, changed = re.subn(place, rf"\g<1>{table}\g<2>", page)
        if changed != 1:
            raise SystemExit(f"the page has no place for {name}")
    return page
