"""Web addresses as values: which are usable, their origin, and where an agent reaches MCP tools."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_PORT = r"([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
_HOST = r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
_ORIGIN = rf"(https://{_HOST}|http://(localhost|127\.0\.0\.1|\[::1\]))(:{_PORT})?"
BASE_URL = rf"{_ORIGIN}(/[!$-;=A-Z\[\]-~]*)?"
WEB_ADDRESS = rf"{_ORIGIN}([/?][!$-;=?A-Z\[\]-~]*)?"
r"""As patterns, which the template has as well: https, or http on loopback; a host, perhaps a port,
and then printable ASCII without spaces and `\ " < > @ #`. A base URL has no query."""

LONGEST = 2048
"""Characters of a URL that somebody else gives us."""

TRANSPORT = "streamable_http"
KEY_HEADER = "x-api-key"
"""The agent's host sends the project's API key in it: a URL alone opens nothing."""

_WHO = frozenset({"user_id", "connected_account_id"})
"""What names the user in the URL of an MCP server."""


def web_address(url: str, pattern: str = WEB_ADDRESS) -> str:
    """Return the URL if it is of the pattern.

    Raises:
        ValueError: It is not; the message does not hold the URL.
    """
    if not re.fullmatch(pattern, url):
        raise ValueError(
            "must be https, or http on loopback: a host, and perhaps a port and a path,"
            " in printable ASCII"
        )
    return url


def web_address_or_empty(url: object) -> str:
    """Return what somebody else calls a URL, or "" where it is not usable as one."""
    try:
        return web_address(url) if isinstance(url, str) and len(url) <= LONGEST else ""
    except ValueError:
        return ""


def origin(url: str) -> str:
    """Return the origin of a web address as a browser names it: scheme, host and port."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"https": 443, "http": 80}[parts.scheme]
    port = "" if parts.port in {None, usual} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """Return the URL with these parameters after those that it has already."""
    added = urlencode(parameters, quote_via=quote, safe="")
    return f"{url}{'&' if '?' in url else '?'}{added}" if added else url


def mcp_url(base_url: str, server_id: str) -> str:
    """Return where Composio serves an MCP server, by its documentation.

    For where its own answer does not say it (docs.composio.dev, changelog of 2025-11-05).
    """
    return f"{base_url}/v3/mcp/{quote(server_id, safe='')}"


def endpoint(url: str, user_id: str | None = None) -> dict[str, str]:
    """Return where an agent reaches the user's tools, and how.

    Args:
        url: The MCP server's own URL, or that of the user's session.
        user_id: The user whose connected accounts the tools use; None where the URL is the user's.
    """
    if user_id is None:
        return {"url": url, "transport": TRANSPORT, "header": KEY_HEADER}
    base, _, query = url.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query) if name not in _WHO]
    encoded = urlencode([*kept, ("user_id", user_id)], quote_via=quote, safe="")
    return endpoint(f"{base}?{encoded}")
