"""The stack that the commands find."""

import pytest

from provisioner import context
from provisioner.stack import Stack
from tests.provisioner.found_stack import stack_of
from tests.world import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a world whose stack every command finds."""
    world = World()
    monkeypatch.setattr(context, "find", lambda *_, **__: stack_of(world))
    monkeypatch.setattr(Stack, "close", lambda _: None)  # the world still needs its client
    return world
