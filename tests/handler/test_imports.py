"""Imports go one way: entry points -> provisioning -> pure core, with adapters at the side."""

import ast
import re
from pathlib import Path

import pytest

import handler
from tests.handler.modules import CORE, HANDLER, MODULES, imports, parsed

LAYERS = (
    *CORE,
    {"bounded_transport", "clients", "page", "settings", "telemetry"},
    {"connect_page", "credentials", "dynamodb", "queue", "requests"},
    {"connect_answers", "connect_table", "account_table", "transport", "walk_table"},
    {"catalog_table", "target_table"},
    {"composio"},
    {"catalog", "creation"},
    {"provisioning"},
    {"account_walk", "callback", "connect_links", "connect_progress", "users"},
    {"sweep"},
    {"connect_sessions", "services"},
    {"connect", "snapshot"},
    {"announcer", "webhook", "worker"},
)
"""From the core outwards: a module imports only from the layers before its own."""

PURE = {
    "base64", "collections", "dataclasses", "datetime", "enum", "functools",
    "hashlib", "hmac", "json", "math", "pydantic", "re", "typing", "unicodedata", "urllib",
    "handler",
}  # fmt: skip

USERS = {
    "boto3": {"clients", "dynamodb"},
    "botocore": {"clients", "credentials", "dynamodb", "queue"},
    "httpx": {"bounded_transport", "services", "transport"},
}
"""The modules that may import a library."""


def test_every_module_has_its_layer() -> None:
    assert sorted(MODULES) == sorted(module for layer in LAYERS for module in layer)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_import_only_from_lower_layers(module: str) -> None:
    names = MODULES[module]
    ours = {name.removeprefix("handler.") for name in names if name.startswith("handler.")}
    (own,) = (number for number, layer in enumerate(LAYERS) if module in layer)

    assert ours <= set[str]().union(*LAYERS[:own])


@pytest.mark.parametrize("module", sorted(set[str]().union(*CORE)))
def test_core_does_no_io(module: str) -> None:
    assert {name.split(".")[0] for name in MODULES[module]} <= PURE


@pytest.mark.parametrize("library", sorted(USERS))
def test_each_library_is_imported_by_its_own_modules_only(library: str) -> None:
    imported = {module: {n.split(".")[0] for n in names} for module, names in MODULES.items()}
    users = {module for module, names in imported.items() if library in names}

    assert users == USERS[library]


def test_handler_imports_no_tools() -> None:
    known = {(module, name.split(".")[0]) for module, names in MODULES.items() for name in names}

    assert [one for one in sorted(known) if one[1] in {"provisioner", "local", "tests"}] == []


def test_command_line_imports_nothing_of_this_project_but_the_handler() -> None:
    files = Path("provisioner").rglob("*.py")
    known = {(path, name.split(".")[0]) for path in files for name in imports(path)}

    assert [one for one in sorted(known) if one[1] in {"bench", "local", "tests"}] == []


def test_files_are_short() -> None:
    table = Path("tests/exploration/mutants.py")
    folders = ("src", "provisioner", "local", "bench", "tests")
    files = [path for folder in folders for path in Path(folder).rglob("*.py")]

    lengths = {path: len(path.read_text().splitlines()) for path in files}
    assert [path for path, length in lengths.items() if length > 250] == [table]


def test_functions_are_short() -> None:
    long = [
        (path, node.name)
        for folder in (HANDLER, Path("provisioner"), Path("local"))
        for path in folder.rglob("*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef) and _lines_of_code(node) > 30
    ]

    assert long == []


def _lines_of_code(function: ast.FunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_exceptions_are_listed_in_the_package_docstring() -> None:
    drawn = re.findall(r"─ (\w+) +(\w+) +\w", handler.__doc__ or "")
    raised = {
        (node.name, path.stem)
        for path in HANDLER.glob("*.py")
        for node in parsed(path).body
        if isinstance(node, ast.ClassDef)
        and {"Exception", "ValueError"} & {getattr(base, "id", "") for base in node.bases}
    }

    assert set(drawn) == raised
