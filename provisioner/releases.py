"""Releases: the one that is installed, and the newest, by the tags of its repository."""

import json
import os
import re
import subprocess
from importlib import metadata
from urllib.parse import urlsplit
from urllib.request import url2pathname

from provisioner.errors import Trouble

DISTRIBUTION = "mcp-instance-provisioner"
_SECONDS = 20
_TAG = re.compile(r"refs/tags/v(\d+\.\d+\.\d+)$", re.MULTILINE)


def version() -> str | None:
    """Return the version that is installed; None in a checkout that is not installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return None


def order(version: str) -> tuple[int, ...]:
    """Return what versions such as 1.2.3 are compared by."""
    return tuple(map(int, re.findall(r"\d+", version)))


def newest() -> str:
    """Ask the repository for its newest release, such as 1.2.3; "" where it has none.

    Raises:
        Trouble: It is not known where this was installed from, or git cannot read it.
    """
    try:
        ran = subprocess.run(  # noqa: S603 - no shell, and the address is what was installed from
            _command(),
            env=os.environ | {"GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        message = f"git cannot read the releases: {type(error).__name__}"
        raise Trouble(message, "look at the page of the repository") from None
    return max(_TAG.findall(ran.stdout), key=order, default="")


def _command() -> list[str]:
    """Return the command that lists the tags at the repository, or at the origin of a checkout.

    The installer has written down which it was: packaging.python.org, "direct_url.json".
    """
    try:
        text = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        text = None
    if text is None:
        raise Trouble("it is not known where this was installed from", "install it as docs say")
    told = json.loads(text)
    if "vcs_info" in told:
        return ["git", "ls-remote", "--tags", "--", told["url"]]
    folder = url2pathname(urlsplit(told["url"]).path)
    return ["git", "-C", folder, "ls-remote", "--tags"]
