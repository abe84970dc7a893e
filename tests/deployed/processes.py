"""`provisioner` as a process of its own."""

import os
import sys
from collections.abc import Mapping

from tests.deployed.checkout import ROOT


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "provisioner", *arguments]


def environment(base: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    paths = {"PATH": os.defpath, "HOME": "/", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return {**paths, **base, **changes}
