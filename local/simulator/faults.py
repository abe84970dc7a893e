"""Faults on demand: which calls go wrong, how, and how often. Pure."""

from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, JsonValue
from starlette.responses import HTMLResponse, JSONResponse, Response

from local.simulator.commands import Command
from local.simulator.refusal import Refused, envelope


class Fault(Command):
    """One rule of `POST /_control/faults`. The first rule that matches a call is applied.

    `method` and `path` are shell patterns (`*` also spans slashes); the path is matched
    percent-decoded. `user_id` is that of a create-instance call. With a `status` or `content` the
    call is not carried out: text is answered as HTML, everything else as JSON, and a status alone
    as Composio's error envelope. Without them the real answer gets the `headers`, is delayed, or
    is lost `before` or `after` the call has been carried out.
    """

    method: str = "*"
    path: str = "/api/*"
    user_id: str | None = None
    times: Annotated[int, Field(ge=1)] | None = 1

    status: Annotated[int, Field(ge=200, le=599)] | None = None
    content: JsonValue = None
    message: str = "This fault was injected"
    slug: str | None = None

    headers: dict[str, str] = Field(default_factory=dict)
    latency: Annotated[float, Field(ge=0, le=3600)] = 0
    latency_at: Literal["before", "after"] = "before"
    lose_answer: Literal["before", "after"] | None = None

    def matches(self, method: str, path: str, user_id: str | None) -> bool:
        """Tell whether the rule is about a call."""
        return (
            fnmatchcase(method, self.method)
            and fnmatchcase(path, self.path)
            and self.user_id in {None, user_id}
        )

    def answer(self, request_id: str) -> Response | None:
        """Return what is answered instead of carrying out the call, or None to carry it out."""
        if isinstance(self.content, str):
            return HTMLResponse(self.content, self.status or 200)
        if "content" in self.model_fields_set:
            return JSONResponse(self.content, self.status or 200)
        if self.status is None:
            return None
        refused = Refused(self.status, self.message, slug=self.slug)
        return JSONResponse(envelope(refused, request_id), self.status)


class Faults:
    """The rules in force, in the order in which they were added."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def take(self, method: str, path: str, user_id: str | None) -> Fault | None:
        """Return the rule for a call and count it down, or None where nothing goes wrong."""
        for fault in self.rules:
            if fault.matches(method, path, user_id):
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self.rules.remove(fault)
                return fault
        return None
