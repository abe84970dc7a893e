"""How Composio refuses a call: one exception and the error body it becomes."""

from dataclasses import KW_ONLY, dataclass
from http import HTTPStatus

from starlette.responses import JSONResponse

_MISSING = "This resource does not exist in the simulator's project"
_INVALID_REQUEST = 1803
_GENERIC = 10_000


@dataclass(eq=False)
class Refused(Exception):
    """An API call that is answered with an error envelope.

    The codes and slugs of the MCP endpoints are not published. Where none is known, the
    pattern of the published `10429 HTTP_TooManyRequests` is followed (10000 + HTTP status),
    so nobody should branch on them.
    """

    status: int
    message: str
    _: KW_ONLY
    code: int | None = None
    slug: str | None = None
    fix: str = "Check the request against the API reference"
    errors: tuple[str, ...] = ()

    def answer(self, request_id: str) -> JSONResponse:
        """Render the error body of the API reference: `{"error": {message, code, slug, ...}}`."""
        error: dict[str, object] = {
            "message": self.message,
            "code": _GENERIC + self.status if self.code is None else self.code,
            "slug": self.slug or _generic_slug(self.status),
            "status": self.status,
            "request_id": request_id,
            "suggested_fix": self.fix,
        }
        if self.errors:
            error["errors"] = list(self.errors)
        return JSONResponse({"error": error}, self.status)


def invalid(message: str, *errors: str) -> Refused:
    """Build the refusal of a malformed request (400, code 1803)."""
    return Refused(400, message, code=_INVALID_REQUEST, errors=errors)


def missing(what: str, identifier: str) -> Refused:
    """Build the refusal of an unknown id (404). `what` reads like `MCP server`."""
    return Refused(404, f"{what} {identifier} was not found", fix=_MISSING)


def _generic_slug(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    return "HTTP_" + phrase.replace(" ", "").replace("-", "")
