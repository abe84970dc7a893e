"""samconfig.toml: what `sam deploy` of this checkout would deploy with."""

import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_QUOTE = r"""\\?["']"""


def of_deploy(config: object) -> dict[str, Any]:
    """Return the options of `sam deploy` in a parsed file."""
    return _parameters(config, "global") | _parameters(config, "deploy")


def overrides(text: str) -> dict[str, str]:
    """Return the parameters of the template that a file sets."""
    found = of_deploy(tomllib.loads(text)).get("parameter_overrides", "")
    words = shlex.split(found) if isinstance(found, str) else map(str, found)
    return dict(word.split("=", 1) for word in words if "=" in word)


def changed(text: str, values: Mapping[str, str]) -> str | None:
    """Return the file with these parameters where it sets them; None if that is not possible."""
    before = overrides(text)
    wanted = {name: value for name, value in values.items() if before.get(name, value) != value}
    for name, value in wanted.items():
        # sam takes no empty value without quotes.
        quote = f"({_QUOTE}|)" if value else f"({_QUOTE})"
        old = rf"""\b({name}=){quote}[^\s"'\\]*(\2)"""
        text = re.sub(old, rf"\g<1>\g<2>{value}\g<3>", text)
    known = "ParameterKey" not in before and overrides(text) == before | wanted
    return text if known else None


def keep(file: Path, values: Mapping[str, str]) -> str:
    """Set parameters in the file where it sets them already, and return what is to be said of it.

    The next `sam deploy` would otherwise set them back.
    """
    before = file.read_text()
    after = changed(before, values)
    given = " ".join(f"{name}={value}" for name, value in values.items())
    if after is None:
        return f"sam deploy would change it back: set {given} in {file}"
    if after == before:
        return ""
    file.write_text(after)
    return f"set in {file}, too: {given}"


def _parameters(config: object, command: str) -> dict[str, Any]:
    for key in ("default", command, "parameters"):
        config = config.get(key) if isinstance(config, dict) else None
    return config if isinstance(config, dict) else {}
