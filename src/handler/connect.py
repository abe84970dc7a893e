"""Connect sessions: from the application's one request to the user's last consent.

| route | who gets in |
|---|---|
| `POST /users/{user_id}/connect-sessions` | IAM: the application makes a session for a user |
| `GET /connect`, `POST /connect` | whoever has the token starts it; then its browser alone |
| `POST /connect/link` | that browser, from a page of ours, on its way to Composio |
| `GET /connect/return` | that browser, back from there |
| `GET /connect/verify` | that browser, where Composio has identities verified |

Imported when the first of these is asked for: events need nothing of it.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from handler import connect_rules as rules
from handler.connect_answers import Answers, form_of, only_value
from handler.connect_links import Click, Links, Verification
from handler.connect_page import Pages
from handler.connect_progress import ProgressReader
from handler.connect_rules import ConnectSession
from handler.connect_sessions import ConnectSessions
from handler.connect_table import ConnectTable
from handler.requests import Request, Response, Routes
from handler.services import Services
from handler.targets import Status
from handler.telemetry import Metric, count, logger
from handler.transport import Unavailable
from handler.urls import with_query


@dataclass(eq=False)
class Connect:
    """Answers a session's browser; `clock` is Unix seconds, and `name` what logs call a user.

    `form_from` is the application's URL where its own page sends the token; else it is empty.
    """

    sessions: ConnectSessions
    table: ConnectTable
    links: Links
    progress: ProgressReader
    answers: Answers
    form_from: str
    clock: Callable[[], float]
    name: Callable[[str], str]

    @property
    def routes(self) -> Routes:
        """What is answered here."""
        return {
            ("POST", "/users/{user_id}/connect-sessions"): self.sessions.create,
            ("GET", "/connect"): partial(self._shown, self.show),
            ("POST", "/connect"): partial(self._shown, self.start),
            ("POST", "/connect/link"): partial(self._shown, self.link),
            ("GET", "/connect/return"): partial(self._shown, self.come_back),
            ("GET", "/connect/verify"): partial(self._shown, self.verify),
        }

    def show(self, request: Request, deadline: float) -> Response:
        """Show the start page to whoever has a token, and the list to the session's browser."""
        if "t" in request.query:
            return self._start_page(request)
        session = self._session(request)
        if session is None:
            return self.answers.invalid()
        return self._progress(session, deadline, listed=True)

    def start(self, request: Request, _: float) -> Response:
        """Make the session the browser's that sends its token, unless it has one already."""
        token = form_of(request).get("token", "")
        if self.form_from and not rules.from_application(request.headers, self.form_from):
            return self.answers.refused(403, self.answers.texts.foreign)
        session = self._by_token(token)
        if session is None:
            return self.answers.invalid()
        if not self.form_from and not rules.from_own_page(request.headers, session.base):
            return self.answers.refused(403, self.answers.texts.foreign)
        if self._is_of(request, session):
            return self.answers.redirect(_list_url(session))
        now, secret = int(self.clock()), secrets.token_urlsafe(32)
        if now >= session.expires_at:
            return self.answers.invalid()
        if session.browser or not self.table.bind(session, rules.digest(secret), now=now):
            return self.answers.refused(403, self.answers.texts.elsewhere)
        count(Metric.CONNECT_STARTED)
        return self.answers.redirect(_list_url(session), cookie=rules.set_cookie(session, secret))

    def link(self, request: Request, deadline: float) -> Response:
        """Send the browser to Composio to connect one account."""
        session = self._session(request)
        if session is None:
            return self.answers.invalid()
        if not rules.from_own_page(request.headers, session.base):
            return self.answers.refused(403, self.answers.texts.foreign)
        form, required = form_of(request), self.progress.required(session)
        auth_config_id, list_url = form.get("ac", ""), _list_url(session)
        if form.get("s") != session.sid:
            return self.answers.refused(409, self.answers.texts.superseded, list_url)
        if auth_config_id not in required:
            return self.answers.refused(400, self.answers.texts.not_needed, list_url)
        if self.clock() >= session.expires_at:
            return self.answers.invalid()
        try:
            taken = self.links.take(
                session, auth_config_id, required=len(required), deadline=deadline
            )
        except Unavailable as nothing:
            logger.warning("no link could be made", problem=nothing.problem.loggable())
            return self.answers.unavailable(list_url)
        match taken:
            case Click.CONNECTED:
                return self.answers.redirect(list_url)
            case Click.BUSY:
                return self.answers.page(200, self.answers.pages.busy(list_url))
            case Click.SPENT:
                return self.answers.refused(429, self.answers.texts.spent)
        leaving = self.answers.pages.leaving(taken, required[auth_config_id])
        return self.answers.page(200, leaving, {"referrer-policy": "no-referrer"})

    def come_back(self, request: Request, deadline: float) -> Response:
        """Take what was connected in the meantime; the query says nothing that is believed."""
        session = self._session(request)
        if session is None:
            return self.answers.back()
        account_id = only_value(request, "connected_account_id")
        known = account_id if account_id in session.made else None
        self.links.confirm(session, known, deadline=deadline)
        return self._progress(session, deadline, known)

    def verify(self, request: Request, deadline: float) -> Response:
        """Tell Composio that this browser is the one in which the user began to connect."""
        session, uri = self._session(request), only_value(request, "session_uri") or ""
        wrong = not rules.SESSION_URI.fullmatch(uri)
        if session is None or wrong or not session.attempted(self.clock()):
            # A call for the wrong user would end the attempt for good.
            return self.answers.back()
        list_url = _list_url(session)
        match self.links.verify(session, uri, deadline=deadline):
            case Verification.REFUSED:
                return self.answers.refused(400, self.answers.texts.refused, list_url)
            case Verification.LATE:
                return self.answers.refused(404, self.answers.texts.late, list_url)
        return self._progress(session, deadline)

    def _shown(
        self, answer: Callable[[Request, float], Response], request: Request, deadline: float
    ) -> Response:
        """Answer a browser: with a page also where something fails."""
        try:
            return answer(request, deadline)
        except Exception:  # noqa: BLE001 - whatever it was, it is safe to try again
            logger.exception("nothing was recorded")
            count(Metric.NOT_RECORDED)
            return self.answers.unavailable()

    def _start_page(self, request: Request) -> Response:
        token = only_value(request, "t") or ""
        session = None if self.form_from else self._by_token(token)
        if session is None:
            return self.answers.invalid()
        if self._is_of(request, session):
            return self.answers.redirect(_list_url(session))
        if self.clock() >= session.expires_at:
            return self.answers.invalid()
        if session.browser:
            return self.answers.refused(403, self.answers.texts.elsewhere)
        toolkits = self.progress.required(session).values()
        start = self.answers.pages.start(_list_url(session), token, session.label, toolkits)
        return self.answers.page(200, start)

    def _by_token(self, token: str) -> ConnectSession | None:
        """Return the session that has not ended; what cannot be a token is not looked up."""
        session = self.table.read(rules.digest(token)) if rules.TOKEN.fullmatch(token) else None
        return session if session and self.clock() < session.ends_at else None

    def _session(self, request: Request) -> ConnectSession | None:
        """Return the session of the browser that sent the request."""
        cookie = rules.read_cookie(request.headers)
        session = self.table.read(cookie.sid) if cookie else None
        if not (cookie and session and self.clock() < session.ends_at and cookie.opens(session)):
            return None
        logger.append_keys(user_id=self.name(session.user_id), session=session.sid[:8])
        return session

    def _is_of(self, request: Request, session: ConnectSession) -> bool:
        cookie = rules.read_cookie(request.headers)
        return bool(cookie and cookie.sid == session.sid and cookie.opens(session))

    def _progress(
        self,
        session: ConnectSession,
        deadline: float,
        account_id: str | None = None,
        *,
        listed: bool = False,
    ) -> Response:
        """Go on to the application, or to the list, or show it."""
        progress = self.progress.read(session, deadline=deadline)
        if progress.status and session.return_url:
            return self._finish(session, progress.status, account_id)
        if not listed:
            return self.answers.redirect(_list_url(session))
        if progress.status:
            return self.answers.outcome(progress.status)
        return self.answers.listing(f"{_list_url(session)}/link", session.sid, progress.accounts)

    def _finish(self, session: ConnectSession, status: Status, account_id: str | None) -> Response:
        now = int(self.clock())
        if now < session.expires_at:
            self.table.end(session, now=now)
            count(Metric.CONNECT_FINISHED)
            logger.info("connect session finished", status=status)
        account = {"connected_account_id": account_id} if account_id else {}
        url = with_query(session.return_url, {"status": status.value, **account})
        return self.answers.redirect(url, cookie=rules.set_cookie(session, ""))


def wire(given: Services) -> Connect:
    """Return what answers these routes, over these services."""
    settings, sources = given.settings, given.sources
    table = ConnectTable(given.target_table.table)
    links = Links(
        table,
        given.composio,
        given.provisioning,
        given.queue,
        sources.clock,
        sources.sleep,
        sources.token,
    )
    return Connect(
        ConnectSessions(settings, table, given.catalog, given.provisioning, sources.clock),
        table,
        links,
        ProgressReader(given.catalog, given.target_table, given.provisioning, sources.sleep),
        Answers(Pages(settings.brand_name, settings.brand_logo_url, settings.support_url)),
        settings.return_url if settings.connect_start == "form" else "",
        sources.clock,
        given.provisioning.name,
    )


def _list_url(session: ConnectSession) -> str:
    return f"{session.base}/connect"
