"""A real browser for the tests: one that is installed, else Debian's, else Playwright's own.

Only where none can be had are its tests skipped, and in CI never.
"""

import os
import platform
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NoReturn

import pytest

INSTALL_SECONDS = 300
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# It may reach this machine, and looks up nobody else.
HOMEBOUND = [
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-quic",
    "--disable-gpu",
]


class NoBrowser(UserWarning):
    """The tests in a browser did not run."""


def program(own: Path) -> str:
    """Return the browser to start; `own` is where Playwright's would be."""
    if found := _installed(own):
        return found
    for install in (_debians(), [sys.executable, "-m", "playwright", "install", "chromium"]):
        if install and _ran(install) and (found := _installed(own)):
            return found
    return _do_without()


def _installed(own: Path) -> str | None:
    named = os.environ.get("PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH")
    if named and Path(named).exists():
        return named
    there = (found for name in _NAMES if (found := shutil.which(name)))
    return next(there, str(own) if own.exists() else None)


def _debians() -> list[str] | None:
    """Return the command that installs Debian's package, where we may run it."""
    try:
        debian = platform.freedesktop_os_release().get("ID") == "debian"
    except OSError:
        debian = False
    # Elsewhere the package of this name may only be a pointer to another packager.
    if not debian:
        return None
    install = (
        "apt-get -qq update; exec apt-get -qq -y -o DPkg::Lock::Timeout=60 "
        "install --no-install-recommends chromium"
    )
    command = ["env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", install]
    if os.geteuid() == 0:
        return command
    return ["sudo", "-n", *command] if shutil.which("sudo") else None


def _ran(command: list[str]) -> bool:
    print("no browser yet:", *command, flush=True)  # noqa: T201 - it takes its time
    try:
        done = subprocess.run(  # noqa: S603 - the commands are ours
            command, stdin=subprocess.DEVNULL, timeout=INSTALL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _do_without() -> NoReturn:
    why = (
        "no Chromium is installed, Debian's package cannot be installed, "
        "and Playwright could not fetch its own: nothing was tried in a browser"
    )
    if os.environ.get("CI"):
        pytest.fail(why)
    warnings.warn_explicit(why, NoBrowser, __file__, 1)
    pytest.skip(why)
