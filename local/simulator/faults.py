"""Faults on demand: which calls go wrong, how, and how often. Pure."""

from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, JsonValue
from starlette.responses import HTMLResponse, JSONResponse, Response

from local.simulator.bodies import Command
from local.simulator.ledger import Entry
from local.simulator.options import Seconds
from local.simulator.refusal import Refused


class Fault(Command):
    """One rule of `POST /_control/faults`. The first rule that matches a call is applied.

    Which calls: `method` and `path` are shell patterns (`*` also spans slashes), the path is
    matched percent-decoded. `user_id` is that of a create call.

    What is answered: with a `status` or `content` the call is not carried out; text is answered
    as HTML, everything else as JSON, and a status alone as Composio's error envelope. Every answer
    gets the `headers`.

    What happens on the way: the answer is delayed or lost, `before` or `after` the call has been
    carried out.
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
    latency: Seconds = 0
    latency_at: Literal["before", "after"] = "before"
    lose_answer: Literal["before", "after"] | None = None

    def matches(self, entry: Entry) -> bool:
        """Tell whether the rule applies to a call."""
        return (
            fnmatchcase(entry.method, self.method)
            and fnmatchcase(entry.path, self.path)
            and self.user_id in {None, entry.user_id}
        )

    def answer(self, request_id: str) -> Response | None:
        """Return what is answered instead of carrying out the call, or None to carry it out."""
        if isinstance(self.content, str):
            return HTMLResponse(self.content, self.status or 200)
        if "content" in self.model_fields_set:
            return JSONResponse(self.content, self.status or 200)
        if self.status is None:
            return None
        return Refused(self.status, self.message, slug=self.slug).answer(request_id)


_NO_FAULT = Fault()


class Faults:
    """The rules in force, in the order in which they were added."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def take(self, entry: Entry) -> Fault:
        """Return the rule for a call and count it down, or a rule that changes nothing."""
        for fault in self.rules:
            if fault.matches(entry):
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self.rules.remove(fault)
                return fault
        return _NO_FAULT
