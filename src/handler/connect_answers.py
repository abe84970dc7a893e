"""What a connect session's routes answer a browser with, and the forms that they are sent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from handler.connect_page import AccountLine, Pages
from handler.connect_texts import Notice, Texts
from handler.requests import RETRY_AFTER_SECONDS, Refused, Request, Response
from handler.signature import NotAuthentic
from handler.targets import Status
from handler.telemetry import Metric, count

LARGEST_FORM = 4096


@dataclass(eq=False)
class Answers:
    """Makes responses of pages; each is sent with the pages' own policy."""

    pages: Pages

    @property
    def texts(self) -> Texts:
        """What the pages say."""
        return self.pages.texts

    def page(self, status: int, content: str, headers: Mapping[str, str] = {}) -> Response:
        """Return a page."""
        return Response(status, content, {**self.pages.headers, **headers})

    def redirect(self, url: str, *, cookie: str = "") -> Response:
        """Send the browser on by GET, with a cookie where one is given."""
        given = {"set-cookie": cookie} if cookie else {}
        return self.page(303, "", {"location": url, **given})

    def back(self) -> Response:
        """Return the page for a browser of which nothing is known here."""
        return self.page(200, self.pages.notice(self.texts.back))

    def invalid(self) -> Response:
        """Return the one page for a token or a session that does not exist, or no longer does."""
        return self.page(404, self.pages.notice(self.texts.invalid))

    def listing(self, action: str, sid: str, accounts: Iterable[AccountLine]) -> Response:
        """Return the list of what is connected, and what is not."""
        return self.page(200, self.pages.listing(action, sid, accounts))

    def outcome(self, status: Status) -> Response:
        """Return the page for a user who has connected everything."""
        if status is Status.READY:
            return self.page(200, self.pages.ready())
        if status is Status.FAILED:
            return self.page(200, self.pages.notice(self.texts.failed))
        return self.page(200, self.pages.pending())

    def refused(self, status: int, notice: Notice, list_url: str = "") -> Response:
        """Return a page that says why nothing was done, and the way back to the list."""
        count(Metric.CONNECT_REFUSED)
        return self.page(status, self.pages.notice(notice, list_url))

    def unavailable(self, list_url: str = "") -> Response:
        """Return the page for what could not be done now."""
        later = {"retry-after": str(RETRY_AFTER_SECONDS)}
        return self.page(503, self.pages.notice(self.texts.unavailable, list_url), later)


def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form; one that is sent twice, or cannot be read, is left out."""
    try:
        body = request.body()
        pairs = parse_qsl(body.decode(), max_num_fields=10) if len(body) <= LARGEST_FORM else []
    except (NotAuthentic, Refused, ValueError):
        return {}
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}


def only_value(request: Request, name: str) -> str | None:
    """Return what the query says once; None where it says it twice, or not at all."""
    values = request.query.get(name, ())
    return values[0] if len(values) == 1 else None
