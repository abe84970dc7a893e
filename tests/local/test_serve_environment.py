"""Which Composio `make serve` uses."""

import pytest

from local.environment import CommandError, OtherComposio
from local.serve import other_composio

KEY = "ak_elsewhere"


def test_the_environment_selects_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPOSIO_BASE_URL", raising=False)
    monkeypatch.setenv("COMPOSIO_API_KEY", KEY)
    assert other_composio() is None
    monkeypatch.setenv("COMPOSIO_BASE_URL", "https://composio.test/")
    with pytest.raises(CommandError, match="COMPOSIO_API_KEY"):
        other_composio()
    monkeypatch.setenv("COMPOSIO_API_KEY", KEY)
    found = other_composio()
    assert found == OtherComposio(base_url="https://composio.test", api_key=KEY)
    assert KEY not in repr(found)
    monkeypatch.setenv("COMPOSIO_BASE_URL", "http://composio.test")
    with pytest.raises(CommandError, match="https"):
        other_composio()
