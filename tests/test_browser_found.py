"""Where the browser of the tests comes from."""

from pathlib import Path

import pytest

from tests import browser


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let no browser be installed; return where Playwright's own would be."""
    monkeypatch.delenv("PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "playwright" / "chrome"


def test_installed_browser_is_taken_before_playwrights_own(nowhere: Path, tmp_path: Path) -> None:
    assert browser._installed(nowhere) is None
    nowhere.parent.mkdir()
    nowhere.touch()
    assert browser._installed(nowhere) == str(nowhere)
    chromium = tmp_path / "chromium"
    chromium.touch(mode=0o755)
    assert browser._installed(nowhere) == str(chromium)


def test_browser_that_is_named_is_taken_before_all_others(
    nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = tmp_path / "named"
    named.touch()
    monkeypatch.setenv("PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH", str(named))
    assert browser._installed(nowhere) == str(named)


def test_debians_package_is_left_alone_where_it_is_not_debian_or_not_ours_to_install(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not nowhere.exists()
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "debian"})
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert browser._debians() is None
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert "chromium" in " ".join(browser._debians() or [])
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "ubuntu"})
    assert browser._debians() is None


def test_without_any_browser_it_is_skipped_loudly_and_in_ci_it_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with (
        pytest.warns(browser.NoBrowser, match="nothing was tried"),
        pytest.raises(pytest.skip.Exception),
    ):
        browser._do_without()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception):
        browser._do_without()
