"""A real browser for the tests: one that is installed, else Debian's, else Playwright's own.

Without any, the tests in a browser are skipped; in CI they fail.
"""

import os
import platform
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext

type Scheme = Literal["light", "dark"]
SCHEMES: list[Scheme] = ["light", "dark"]

INSTALL_SECONDS = 300
PATIENCE_MS = 60_000
PICTURES = os.environ.get("PICTURES")
"""A folder for the pictures of the documentation."""
# It may use this machine, and looks up no other.
ARGUMENTS = [
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-quic",
    "--disable-gpu",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_APT = (
    "apt-get -qq update; exec apt-get -qq -y -o DPkg::Lock::Timeout=60 "
    "install --no-install-recommends chromium"
)


class NoBrowser(UserWarning):
    """The tests in a browser did not run."""


def context_of(browser: Browser, width: int, height: int, **more: Any) -> BrowserContext:
    """Open a window of this size."""
    size: Any = {"width": width, "height": height}
    context = browser.new_context(viewport=size, reduced_motion="reduce", **more)
    context.set_default_timeout(PATIENCE_MS)
    return context


def program(own: Path) -> str:
    """Return the browser to start; `own` is where Playwright's would be."""
    installs = [None, *_debians(), [sys.executable, "-m", "playwright", "install", "chromium"]]
    for install in installs:
        if install:
            _run(install)
        named = os.environ.get("PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH", "")
        for found in (named, *map(shutil.which, _NAMES), str(own)):
            if found and Path(found).exists():
                return found
    why = "no Chromium is installed, nor can it be: nothing was tried in a browser"
    if os.environ.get("CI"):
        pytest.fail(why)
    warnings.warn_explicit(why, NoBrowser, __file__, 1)
    pytest.skip(why)


def _debians() -> list[list[str]]:
    """Return the command that installs Debian's package; elsewhere the name may be a stub's."""
    try:
        debian = platform.freedesktop_os_release().get("ID") == "debian"
    except OSError:
        debian = False
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    return [[*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", _APT]] if debian else []


def _run(command: list[str]) -> None:
    print("no browser yet:", *command, flush=True)  # noqa: T201 - it takes its time
    try:
        subprocess.run(  # noqa: S603 - the commands are ours
            command, stdin=subprocess.DEVNULL, timeout=INSTALL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(error, flush=True)  # noqa: T201 - the next way is tried
