"""Document paths: what stands at them, and how they lie to each other."""

from typing import Any

from tests.fakes.errors import InvalidRequestError
from tests.fakes.values import Item, Value

type Path = tuple[str | int, ...]


def value_at(item: Item, path: Path) -> Value | None:
    """What stands at a path, or None."""
    value: Value | None = item.get(str(path[0]))
    for element in path[1:]:
        if value is None:
            return None
        if isinstance(element, int):
            members = value.get("L", ())
            value = members[element] if element < len(members) else None
        else:
            value = value.get("M", {}).get(element)
    return value


def position(path: Path) -> list[tuple[int, str]]:
    """What to sort paths by: list elements by number."""
    return [(one, "") if isinstance(one, int) else (-1, one) for one in path]


def projected(item: Item, paths: tuple[Path, ...]) -> Item:
    """Only what stands at these paths, inside what it stands in; lists close their gaps."""
    tree: dict[Any, Any] = {}
    for path in sorted(paths, key=position):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
    picked = _picked({"M": item}, tree)
    return picked["M"] if picked else {}


def _picked(value: Value, tree: dict[Any, Any]) -> Value | None:
    if not tree:
        return value
    content = value.get("M", {})
    if "L" in value:
        content = dict(enumerate(value["L"]))
    found = {
        element: part
        for element, below in tree.items()
        if element in content and (part := _picked(content[element], below))
    }
    if not found:
        return None
    return {"L": list(found.values())} if "L" in value else {"M": found}


def check_overlaps(kind: str, paths: tuple[Path, ...]) -> None:
    """No path may be, or lie below, another; nor treat as a list what another treats as a map."""
    for at, one in enumerate(paths):
        for two in paths[at + 1 :]:
            common = zip(one, two, strict=False)
            differing = next(((a, b) for a, b in common if a != b), None)
            if differing is None:
                trouble = "overlap"
            elif type(differing[0]) is not type(differing[1]):
                trouble = "conflict"
            else:
                continue
            raise InvalidRequestError(
                f"Invalid {kind}: Two document paths {trouble} with each other; must remove or "
                f"rewrite one of these paths; path one: {shown(one)}, path two: {shown(two)}"
            )


def shown(path: Path) -> str:
    """A path as the error messages write it."""
    elements = (f"[{one}]" if isinstance(one, int) else one for one in path)
    return f"[{', '.join(elements)}]"
