"""The packages that are measured, and what can be said of a package by looking at it."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bundle

_UNCHECKED_HASH = 1
_MACHINES = {"aarch64-linux": 183, "x86_64-linux": 62}
"""How the file's name says it -> how ELF says it (`e_machine`, elf.h)."""


def floor(folder: Path) -> Path:
    """Make a package of boto3 and what it needs: whole, as installed, with bytecode as ours."""
    for name in sorted({"boto3", *_needs("boto3")}):
        for file in importlib.metadata.files(name) or ():
            if "__pycache__" not in file.parts and ".." not in file.parts:
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), target)
    bundle.compile_all(folder, workers=1)
    return folder


def peer(folder: Path, requirements: Path) -> Path:
    """Install a peer's locked requirements: whole, as `sam build` would, and with bytecode."""
    command = [os.environ["UV"], "pip", "install", "--quiet", "--require-hashes"]
    command += ["--target", str(folder), "--python", sys.executable, "-r", str(requirements)]
    subprocess.run(command, check=True)
    bundle.compile_all(folder, workers=1)
    return folder


def without_bytecode(package: Path, to: Path) -> Path:
    """Copy the package as plain `sam build` makes it: modules have to be compiled at each start."""
    return shutil.copytree(package, to, ignore=shutil.ignore_patterns("__pycache__"))


def megabytes(package: Path) -> float:
    """Return its size, unzipped: what Lambda's limit of 250 MB is about."""
    return sum(path.stat().st_size for path in package.rglob("*") if path.is_file()) / 1e6


def stale(package: Path) -> list[str]:
    """Return the modules whose bytecode is not there, or not of this source, or not trusted."""
    return [path.relative_to(package).as_posix() for path in package.rglob("*.py") if _stale(path)]


def foreign(package: Path) -> list[str]:
    """Return the native libraries that are not of the machine that their names tell."""
    return [
        name
        for name, path in bundle.natives(package).items()
        if not any(told in name and _machine(path) == code for told, code in _MACHINES.items())
    ]


def _stale(source: Path) -> bool:
    compiled = Path(importlib.util.cache_from_source(str(source)))
    if not compiled.exists():
        return True
    header = compiled.read_bytes()[:16]
    trusted = int.from_bytes(header[4:8], "little") == _UNCHECKED_HASH
    current = header[:4] == importlib.util.MAGIC_NUMBER
    same = header[8:] == importlib.util.source_hash(source.read_bytes())
    return not (trusted and current and same)


def _machine(library: Path) -> int:
    head = library.read_bytes()[:20]
    return int.from_bytes(head[18:20], "little") if head.startswith(b"\x7fELF") else -1


def _needs(name: str) -> Iterator[str]:
    for requirement in importlib.metadata.requires(name) or ():
        if "extra ==" not in requirement and (found := re.match(r"[\w.-]+", requirement)):
            yield found[0]
            yield from _needs(found[0])
