"""Faults on demand: which call goes wrong, how, and how often. Pure."""

from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from local.simulator.commands import Command
from local.simulator.refusal import Refused, envelope, generic_slug

_STATUS_OF_BODY = {"bare": 429, "coded": 429, "gone": 410, "html": 502}
_TOO_MANY_CODE = 10_429


class Fault(Command):
    """One rule of `POST /_control/faults`. The first rule that matches a call is applied.

    `method` and `path` are shell patterns (`*` also spans slashes); the path is matched
    percent-decoded. Without `status` and `body` the call is carried out as usual, and only
    delayed, given headers, or robbed of its answer; with `carry_out` it is carried out although
    the answer says otherwise.
    """

    method: str = "*"
    path: str = "/api/*"
    user_id: str | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    body: Literal["envelope", "bare", "coded", "gone", "html", "empty"] | None = None
    message: str = "This fault was injected"
    code: int | None = None
    slug: str | None = None
    retry_after: int | str | None = None
    latency: Annotated[float, Field(ge=0, le=3600)] = 0
    latency_at: Literal["before", "after"] = "before"
    carry_out: bool = False
    lose_answer: Literal["before", "after"] | None = None
    deprecation: str | None = None
    sunset: str | None = None
    skip: Annotated[int, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=1)] | None = 1

    @model_validator(mode="after")
    def _status_and_body_together(self) -> Self:
        if self.body is not None and self.status is None:
            if self.body not in _STATUS_OF_BODY:
                raise ValueError(f"the body {self.body!r} needs a status")
            self.status = _STATUS_OF_BODY[self.body]
        return self

    def matches(self, method: str, path: str, user_id: str | None) -> bool:
        """Tell whether a call is meant."""
        return (
            fnmatchcase(method, self.method)
            and fnmatchcase(path, self.path)
            and self.user_id in {None, user_id}
        )

    def headers(self) -> dict[str, str]:
        """Return the headers that this fault adds to whatever is answered."""
        found = {
            "retry-after": self.retry_after,
            "deprecation": self.deprecation,
            "sunset": self.sunset,
        }
        return {name: str(value) for name, value in found.items() if value is not None}

    def answer(self, request_id: str) -> object:
        """Return the JSON body to answer with, or text for `html` and `empty`."""
        status = self.status or 500
        match self.body:
            case "bare":
                return {"message": "Rate limit exceeded. Limit: 2000 requests per 1 minutes"}
            case "coded":
                return {"code": _TOO_MANY_CODE, "slug": "HTTP_TooManyRequests"}
            case "html":
                return f"<html><body><h1>{status} {generic_slug(status)}</h1></body></html>"
            case "empty":
                return ""
            case _:
                refused = Refused(status, self.message, code=self.code, slug=self.slug)
                return envelope(refused, request_id)


class Faults:
    """The rules in force, in the order in which they were added."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Append a rule."""
        self._rules.append(fault)

    def clear(self) -> None:
        """Forget all rules."""
        self._rules.clear()

    def listed(self) -> list[dict[str, object]]:
        """List the rules; `skip` and `times` count down."""
        return [fault.model_dump() for fault in self._rules]

    def take(self, method: str, path: str, user_id: str | None) -> Fault | None:
        """Return the fault for a call and count it down; None when the call is spared."""
        for fault in self._rules:
            if not fault.matches(method, path, user_id):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
                if not fault.times:
                    self._rules.remove(fault)
            return fault
        return None
