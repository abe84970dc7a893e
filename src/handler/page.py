"""The page at the end of OAuth, for applications that have none: small and quiet.

It names nobody: whoever has the link learns what is connected, and no more. While it waits, a
script looks again and changes only what has changed, so that whoever reads or hears the page is
not thrown back to its beginning; without scripts the browser loads it anew.
"""

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from pathlib import Path

REFRESH_SECONDS = 3
"""The same as in the script."""

STYLE = Path(__file__).with_suffix(".css").read_text()
SCRIPT = Path(__file__).with_suffix(".js").read_text()

RING = '<circle cx="12" cy="12" r="9"/>'
GOOD, BAD, OPEN = (
    f'{RING}<path d="m8 12.5 2.7 2.7L16 9.5"/>',
    f'{RING}<path d="M12 7.5v5.5m0 3.2v.1"/>',
    '<circle cx="12" cy="12" r="9" stroke-dasharray="3.2 2.45"/>',
)


def content_hash(inline: str) -> str:
    """Return the SHA-256 by which a policy names an inline style or script."""
    return base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()


HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{content_hash(STYLE)}'; "
        f"script-src 'sha256-{content_hash(SCRIPT)}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
"""Only this very style sheet and script apply, and they reach nobody but where they come from."""


_AGAIN = {
    "head": f'<noscript><meta http-equiv="refresh" content="{REFRESH_SECONDS}"></noscript>',
    "after": '<p class="again"><a href="">Look again now</a></p>',
    "script": SCRIPT,
}
"""The parts of a page that looks again."""


def ready() -> str:
    """Return the page for a user who has everything."""
    said = "Everything is connected. You can close this window."
    return document("You are all set", said, icon=icon(GOOD, "good"))


def connected() -> str:
    """Return the page for an account that no enrolled MCP server requires."""
    said = "You can close this window."
    return document("It is connected", said, icon=icon(GOOD, "good"))


def waiting(there: Iterable[str], lacking: Iterable[str]) -> str:
    """Return the page that says what is connected and what is still missing."""
    rows = [_row(name, "Connected", icon(GOOD), "good") for name in there]
    rows += [_row(name, "Still missing", icon(RING), "open") for name in lacking]
    listed = f"<ul>{''.join(rows)}</ul>"
    said = "This page follows along while you connect what is still missing."
    return document("Connected. Something is still missing", said, below=listed, **_AGAIN)


def pending() -> str:
    """Return the page for what takes a moment longer."""
    said = "This usually takes a few seconds. The page looks again by itself."
    return document("Almost there", said, icon=icon(OPEN, "turn"), **_AGAIN)


def failed() -> str:
    """Return the page for an account that did not become active."""
    said = "Go back to the application and connect it once more."
    return document("It was not connected", said, icon=icon(BAD, "bad"))


def stuck() -> str:
    """Return the page for a user whose instance needs a person."""
    said = (
        "Everything is connected, but the last step did not work. It is tried again by itself. "
        "If this stays so, please tell the people who run the application."
    )
    return document("Connected, but not ready", said, icon=icon(BAD, "bad"))


def invalid() -> str:
    """Return the page for a link that means nothing here; it never says why."""
    said = "Go back to the application and start again from there."
    return document("This link is not valid", said, icon=icon(BAD, "bad"))


def icon(drawn: str, kind: str = "") -> str:
    """Return a drawing as an icon that is not read aloud."""
    named = f' class="{kind}"' if kind else ""
    return f'<svg{named} viewBox="0 0 24 24" aria-hidden="true">{drawn}</svg>'


def document(
    title: str,
    said: str,
    *,
    language: str = "en",
    style: str = STYLE,
    head: str = "",
    header: str = "",
    icon: str = "",
    below: str = "",
    after: str = "",
    footer: str = "",
    script: str = "",
) -> str:
    """Return a page of these parts, all of them HTML."""
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="robots" content="noindex">{head}<title>{title}</title>'
        f"<style>{style}</style></head><body><main>{header}"
        f'<div role="status">{icon}<h1>{title}</h1><p>{said}</p>{below}</div>{after}'
        f"{footer}</main>{f'<script>{script}</script>' if script else ''}</body></html>"
    )


def _row(name: str, state: str, mark: str, kind: str) -> str:
    return f'<li class="{kind}">{mark}<span>{escape(name)}</span><span>{state}</span></li>'
