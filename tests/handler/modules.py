"""The modules of the handler, and what each of them imports."""

import ast
from functools import cache
from pathlib import Path

HANDLER = Path("src/handler")

CORE: tuple[set[str], ...] = (
    {"events", "isolation", "paging", "signature", "urls", "targets"},
    {"answers", "connect_rules", "connect_texts", "decisions", "stored_catalog"},
)
"""Pure functions: no clock, environment, random id, logger, network or file."""


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> set[str]:
    """Return the modules that a file imports, with those of the handler as `handler.x`."""
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            module = node.module or ""
            if module == "handler":
                found |= {f"handler.{alias.name}" for alias in node.names}
            else:
                found.add(module)
    return found


MODULES = {path.stem: imports(path) for path in HANDLER.glob("*.py") if path.stem != "__init__"}
