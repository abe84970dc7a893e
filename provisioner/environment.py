"""Makes the environment of the process usable, whatever started it."""

import ipaddress
import re
from collections.abc import Iterator, MutableMapping
from contextlib import suppress

_LAMBDA = ("AWS_LAMBDA_", "LAMBDA_", "POWERTOOLS_")
_HOST = re.compile(r"[^:/\[\]\s]+(:\d+)?")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PROXIES = ("all_proxy", "http_proxy", "https_proxy")

PROXIES = tuple(name for each in _PROXIES for name in (each.upper(), each))
"""The variables that name a proxy."""


def prepare(environment: MutableMapping[str, str]) -> None:
    """Change what would confuse the libraries.

    The handler's modules would take the settings of Lambda for their own. An address range in
    NO_PROXY, which neither HTTP library understands, makes one of them fail. A proxy cannot reach
    the loopback addresses of `make serve`.
    """
    for name in [name for name in environment if name.startswith(_LAMBDA)]:
        del environment[name]
    for name in ("NO_PROXY", "no_proxy"):
        if name in environment:
            environment[name] = ",".join(_understood(environment[name]))
    if any(environment.get(name) for name in PROXIES):
        # Where both are set, the libraries read the one in lower case.
        name = "no_proxy" if "no_proxy" in environment else "NO_PROXY"
        given = environment.get(name, "")
        if given != "*":
            environment[name] = ",".join(part for part in (given, *_LOOPBACK) if part)


def _understood(no_proxy: str) -> Iterator[str]:
    for part in no_proxy.split(","):
        entry = part.strip()
        address = entry.removeprefix("[").removesuffix("]")
        if _HOST.fullmatch(entry):
            yield entry
        else:
            with suppress(ValueError):
                ipaddress.IPv6Address(address)
                yield address
