"""Web addresses as values: which are usable, their origin, and where an agent reaches MCP tools."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

LONGEST = 2048
"""Characters of a URL that somebody else gives us."""

TRANSPORT = "streamable_http"
KEY_HEADER = "x-api-key"
"""The agent's host sends the project's API key in it: a URL alone opens nothing."""

_WHO = frozenset({"user_id", "connected_account_id"})
"""What names the user in the URL of an MCP server."""


def web_address(url: str) -> str:
    """Return the URL if it is https, or http on loopback, and has no credentials or fragment.

    Raises:
        ValueError: It is not; the message says what is wrong, and does not hold the URL.
    """
    parts = urlsplit(url)
    if not re.fullmatch(r"[!-~]+", url) or parts.port == 0:
        raise ValueError("must be printable ASCII without spaces, and its port a number")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("must be https, unless it is loopback")
    if not parts.hostname or parts.fragment or "@" in parts.netloc:
        raise ValueError("must be a scheme, a host and perhaps a path")
    return url


def web_address_or_empty(url: object) -> str:
    """Return what somebody else calls a URL, or "" where it is not usable as one."""
    try:
        return web_address(url) if isinstance(url, str) and len(url) <= LONGEST else ""
    except ValueError:
        return ""


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """Return the URL with these parameters after those that it has already."""
    added = urlencode(parameters, quote_via=quote, safe="")
    return f"{url}{'&' if '?' in url else '?'}{added}" if added else url


def mcp_url(base_url: str, server_id: str) -> str:
    """Return where Composio serves an MCP server, by its documentation.

    For where its own answer does not say it (docs.composio.dev, changelog of 2025-11-05).
    """
    return f"{base_url}/v3/mcp/{quote(server_id, safe='')}"


def endpoint(url: str, user_id: str) -> dict[str, str]:
    """Return where an agent reaches the user's tools, and how.

    Args:
        url: The MCP server's own URL.
        user_id: The user whose connected accounts the tools use.
    """
    base, _, query = url.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query) if name not in _WHO]
    encoded = urlencode([*kept, ("user_id", user_id)], quote_via=quote, safe="")
    return {"url": f"{base}?{encoded}", "transport": TRANSPORT, "header": KEY_HEADER}
