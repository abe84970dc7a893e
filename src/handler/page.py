"""The page at the end of OAuth, for applications that have none: small, quiet, without scripts.

It names nobody: whoever has the link learns what is connected, and no more.
"""

import base64
import hashlib
from collections.abc import Iterable
from html import escape

REFRESH_SECONDS = 3

_STYLE = """
:root{color-scheme:light dark;--ink:#1a1d21;--soft:#545b64;--paper:#fff;--line:#d5d9de;
--good:#0b6b3a}
@media(prefers-color-scheme:dark){:root{--ink:#eceef0;--soft:#aab1b9;--paper:#14171a;--line:#363c43;
--good:#6fd39b}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--paper);
color:var(--ink);font:1.0625rem/1.6 system-ui,sans-serif}
main{width:100%;max-width:28rem}
h1{font-size:1.625rem;line-height:1.25;letter-spacing:-.01em;margin:0 0 .5rem}
p{margin:0 0 1.5rem;color:var(--soft)}
ul{list-style:none;margin:0 0 1.5rem;padding:0;border-top:1px solid var(--line)}
li{display:flex;justify-content:space-between;gap:1rem;padding:.75rem 0;
border-bottom:1px solid var(--line);overflow-wrap:anywhere}
li span:last-child{color:var(--soft);white-space:nowrap}
li.done span:last-child{color:var(--good)}
a{color:inherit;text-underline-offset:.2em}
a:focus-visible{outline:3px solid currentColor;outline-offset:3px;border-radius:2px}
"""

_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
}
"""Nothing is loaded or run; only this very style sheet applies."""


def ready() -> str:
    """Return the page for a user who has everything."""
    return _page("You are all set", "Everything is connected. You can close this window.")


def waiting(connected: Iterable[str], lacking: Iterable[str]) -> str:
    """Return the page that says what is connected and what is still missing."""
    rows = [_row(name, "Connected", "done") for name in connected]
    rows += [_row(name, "Still missing", "") for name in lacking]
    listed = f"<ul>{''.join(rows)}</ul>"
    said = "This page follows along while you connect what is still missing."
    return _page("Connected. Something is still missing", said, listed, refresh=True)


def pending() -> str:
    """Return the page for what takes a moment longer."""
    said = "This usually takes a few seconds. The page looks again by itself."
    return _page("Almost there", said, refresh=True)


def failed() -> str:
    """Return the page for an account that did not become active."""
    return _page("It was not connected", "Go back to the application and connect it once more.")


def stuck() -> str:
    """Return the page for a user whose instance needs a person."""
    said = "Everything is connected, but the last step did not work. The operators know of it."
    return _page("Connected, with a hitch", said)


def invalid() -> str:
    """Return the page for a link that means nothing here; it never says why."""
    return _page("This link is not valid", "Go back to the application and start again from there.")


def _row(name: str, state: str, mark: str) -> str:
    return f'<li class="{mark}"><span>{escape(name)}</span><span>{state}</span></li>'


def _page(title: str, said: str, listed: str = "", *, refresh: bool = False) -> str:
    again = f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">' if refresh else ""
    link = '<p><a href="">Look again now</a></p>' if refresh else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="robots" content="noindex">{again}<title>{title}</title>'
        f'<style>{_STYLE}</style></head><body><main role="main"><h1>{title}</h1>'
        f'<div role="status"><p>{said}</p>{listed}</div>{link}</main></body></html>'
    )
