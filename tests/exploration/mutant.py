"""A way to spoil the handler, and how to plant it for a while."""

import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tests.exploration.promises import Promise


@dataclass(frozen=True)
class Mutant:
    """A piece of source and what is put in its place."""

    name: str
    promise: Promise
    """The one that it breaks, and by which alone it is caught."""
    target: str
    """`module:Class.function`, `module:function` or, for a number, `module:NAME`."""
    old: str
    new: str
    place: str = ""
    """Where to look first: the beginning of the name of a plan, or of a case."""
    odd: bool = False
    """The fault may be an odd answer."""


def _owner(target: str) -> tuple[Any, Any, str]:
    module_name, _, path = target.partition(":")
    module = import_module(f"handler.{module_name}")
    owner: Any = module
    *outer, name = path.split(".")
    for one in outer:
        owner = getattr(owner, one)
    return module, owner, name


def _mutated(module: Any, thing: Any, name: str, mutant: Mutant) -> Any:
    if isinstance(thing, int):
        assert str(thing) == mutant.old, f"{mutant.name} no longer applies: {thing}"
        return int(mutant.new)
    source = textwrap.dedent(inspect.getsource(thing))
    assert source.count(mutant.old) == 1, f"{mutant.name} no longer applies to\n{source}"
    made: dict[str, Any] = {}
    exec(source.replace(mutant.old, mutant.new), vars(module), made)  # noqa: S102
    return made[name]


def _holders(owner: Any, thing: Any, name: str) -> list[Any]:
    """Return who has to get the mutated thing: a function is imported by name, too."""
    if isinstance(thing, int) or inspect.isclass(owner):
        return [owner]
    modules = [one for path, one in sys.modules.items() if path.startswith("handler.")]
    return [one for one in modules if vars(one).get(name) is thing]


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """Spoil the handler for a while."""
    module, owner, name = _owner(mutant.target)
    thing = getattr(owner, name)
    mutated = _mutated(module, thing, name, mutant)
    holders = _holders(owner, thing, name)
    for holder in holders:
        setattr(holder, name, mutated)
    try:
        yield
    finally:
        for holder in holders:
            setattr(holder, name, thing)
