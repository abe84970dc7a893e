"""The pages of a connect session: values in, HTML out; none of them needs a script.

They work from 360 pixels up, in the dark, by keyboard and read aloud. Nobody is named but by the
application's label, and everything that comes from elsewhere is escaped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import NamedTuple

from handler import page
from handler.connect_rules import AuthConfigState
from handler.connect_texts import ENGLISH, Notice, Texts
from handler.urls import origin

REFRESH_SECONDS = 5

_STYLE = page.STYLE + Path(__file__).with_suffix(".css").read_text()


class AccountLine(NamedTuple):
    """One line of the list."""

    auth_config_id: str
    toolkit: str
    state: AuthConfigState


@dataclass(eq=False)
class Pages:
    """Makes the pages in one language, with the application's `name`, logo and support page."""

    name: str = ""
    logo_url: str = ""
    support_url: str = ""
    texts: Texts = ENGLISH

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """What the pages are sent with: only their own style, script and forms, and the logo."""
        logo = f"img-src {origin(self.logo_url)}; " if self.logo_url else ""
        return {
            "content-security-policy": (
                f"default-src 'none'; style-src 'sha256-{page.content_hash(_STYLE)}'; "
                f"script-src 'sha256-{page.content_hash(page.SCRIPT)}'; connect-src 'self'; {logo}"
                "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
            ),
            "cross-origin-opener-policy": "same-origin",
            # With no-referrer, a browser sends the pages' own forms with `Origin: null`.
            "referrer-policy": "same-origin",
        }

    def start(self, action: str, token: str, label: str, toolkits: Iterable[str]) -> str:
        """Return the page that asks whether to begin; it does not say what is connected."""
        listed = "".join(f"<li><span>{escape(shown(one))}</span></li>" for one in toolkits)
        named = f"<b><bdi>{escape(label)}</bdi></b>"
        whom = f"<p>{self.texts.start_for.format(label=named)}</p>" if label else ""
        form = _form(action, {"token": token}, f"<button>{self.texts.proceed}</button>", "start")
        below = f"<ul>{listed}</ul>{whom}<p>{self._fill(self.texts.warning)}</p>{form}"
        return self._page(self.texts.start, below=below)

    def listing(self, action: str, sid: str, accounts: Iterable[AccountLine]) -> str:
        """Return the list: what is connected, and a button for what is not."""
        lines = list(accounts)
        done = sum(one.state is AuthConfigState.CONNECTED for one in lines)
        rows = "".join(self._row(action, sid, one) for one in lines)
        filled = {"done": str(done), "total": str(len(lines))}
        return self._page(self.texts.listing, filled, below=f"<ul>{rows}</ul>")

    def leaving(self, url: str, toolkit: str) -> str:
        """Return the page that goes on to Composio by itself.

        A form's answer may not be a redirect there: browsers hold it to `form-action`, too.
        """
        leave = self._fill(self.texts.leave, {"toolkit": shown(toolkit)})
        link = f'<p><a class="button" href="{escape(url)}">{leave}</a></p>'
        filled = {"toolkit": shown(toolkit)}
        return self._page(self.texts.leaving, filled, below=link, head=_refresh(0, url))

    def pending(self) -> str:
        """Return the page for what takes a moment longer; it looks again by itself."""
        return self.busy("")

    def busy(self, list_url: str) -> str:
        """Return the same page as the answer to a form, which is not to be sent again."""
        # Not beside the script: who reads slowly must not lose the page (WCAG 2.2.1).
        head = f"<noscript>{_refresh(REFRESH_SECONDS, list_url)}</noscript>"
        after = _again(list_url, self.texts.look_again)
        icon = page.icon(page.OPEN, "turn")
        return self._page(self.texts.pending, icon=icon, after=after, head=head, script=page.SCRIPT)

    def ready(self) -> str:
        """Return the page for a user who has everything."""
        return self._page(self.texts.ready, icon=page.icon(page.GOOD, "good"))

    def notice(self, notice: Notice, list_url: str = "") -> str:
        """Return a page that says one thing, with the way back to the list where there is one."""
        after = _again(list_url, self.texts.to_list) if list_url else ""
        return self._page(notice, icon=page.icon(page.BAD, "bad"), after=after)

    def _row(self, action: str, sid: str, one: AccountLine) -> str:
        toolkit, ended = escape(shown(one.toolkit)), one.state is AuthConfigState.ENDED
        if one.state is AuthConfigState.CONNECTED:
            state = f"<span>{self.texts.connected}</span>"
            return f'<li class="good">{page.icon(page.GOOD)}<span>{toolkit}</span>{state}</li>'
        verb, named = self.texts.connect, self.texts.connect_named
        if ended:
            verb, named = self.texts.reconnect, self.texts.reconnect_named
        label = self._fill(named, {"toolkit": shown(one.toolkit)})
        button = f'<button aria-label="{label}">{verb}</button>'
        form = _form(action, {"s": sid, "ac": one.auth_config_id}, button)
        why = f"<small>{self.texts.ended}</small>" if ended else ""
        return f"<li>{page.icon(page.RING)}<span>{toolkit}</span>{form}{why}</li>"

    def _fill(self, text: str, values: Mapping[str, str] = {}) -> str:
        filled = {"application": self.name or self.texts.application, **values}
        return text.format_map({name: escape(value) for name, value in filled.items()})

    def _page(self, notice: Notice, values: Mapping[str, str] = {}, **parts: str) -> str:
        title, said = (self._fill(text, values) for text in notice)
        header = footer = ""
        if self.name or self.logo_url:
            alt = "" if self.name else self.texts.logo
            logo = f'<img src="{escape(self.logo_url)}" alt="{alt}">' if self.logo_url else ""
            header = f"<header>{logo}<span>{escape(self.name)}</span></header>"
        if self.support_url:
            link = f'<a href="{escape(self.support_url)}">{self.texts.support}</a>'
            footer = f"<footer>{link}</footer>"
        own = {"language": self.texts.language, "style": _STYLE, "header": header, "footer": footer}
        return page.document(title, said, **own, **parts)


def shown(toolkit: str) -> str:
    """Return a toolkit's slug as a name for people: `google_drive` is Google drive."""
    return toolkit[:1].upper() + toolkit[1:].replace("_", " ")


def _form(action: str, fields: Mapping[str, str], button: str, kind: str = "") -> str:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    named = f' class="{kind}"' if kind else ""
    return f'<form{named} method="post" action="{escape(action)}">{hidden}{button}</form>'


def _again(url: str, text: str) -> str:
    return f'<p class="again"><a href="{escape(url)}">{text}</a></p>'


def _refresh(seconds: int, url: str = "") -> str:
    where = f"; url={escape(url)}" if url else ""
    return f'<meta http-equiv="refresh" content="{seconds}{where}">'
