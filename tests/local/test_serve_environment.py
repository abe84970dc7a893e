"""What the environment makes of `make serve`."""

import socket

import pytest

from local.environment import CommandError, OtherComposio
from local.serve import other_composio, port, return_url

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


def test_the_environment_gives_port_and_return_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.delenv("RETURN_URL", raising=False)
    assert (port(), return_url()) == (None, "")
    monkeypatch.setenv("RETURN_URL", "http://localhost:3000/done")
    assert return_url() == "http://localhost:3000/done"
    monkeypatch.setenv("RETURN_URL", "app.example")
    with pytest.raises(CommandError, match="RETURN_URL must be https"):
        return_url()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
        monkeypatch.setenv("PORT", str(free))
        with pytest.raises(CommandError, match=f"PORT={free} cannot be used"):
            port()
    for unusable in ("65536", "-1", "0", "http"):
        monkeypatch.setenv("PORT", unusable)
        with pytest.raises(CommandError, match="from 1 to 65535"):
            port()
    monkeypatch.setenv("PORT", str(free))
    assert port() == free
