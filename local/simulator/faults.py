"""Faults on demand: which calls go wrong, how, and how often. Pure."""

import json
from fnmatch import fnmatchcase
from typing import Annotated, Literal
from urllib.parse import unquote

from pydantic import Field, JsonValue
from starlette.responses import HTMLResponse, JSONResponse, Response

from local.simulator.bodies import Command
from local.simulator.ledger import Entry
from local.simulator.options import Seconds
from local.simulator.refusal import Refused


class Fault(Command):
    """One rule of `POST /_control/faults`. The first rule that matches a call is applied.

    Which calls: `method`, `path` and `query` are shell patterns (`*` also spans slashes), path and
    query are matched percent-decoded. `user_id` is that of a create call.

    What is answered: with a `status` or `content` the call is not carried out; text is answered
    as HTML, everything else as JSON, and a status alone as Composio's error envelope. Without
    them the real answer is changed: `fields` replace those of its JSON object, and `without`
    removes fields at any depth. Every answer gets the `headers`.

    What happens on the way: the answer is delayed, lost `before` or `after` the call has been
    carried out, or sent one byte each `drip` seconds.
    """

    method: str = "*"
    path: str = "/api/*"
    query: str = "*"
    user_id: str | None = None
    times: Annotated[int, Field(ge=1)] | None = 1

    status: Annotated[int, Field(ge=200, le=599)] | None = None
    content: JsonValue = None
    message: str = "This fault was injected"
    slug: str | None = None

    fields: dict[str, JsonValue] = Field(default_factory=dict)
    without: frozenset[str] = frozenset()
    headers: dict[str, str] = Field(default_factory=dict)
    drip: Seconds = 0
    latency: Seconds = 0
    latency_at: Literal["before", "after"] = "before"
    lose_answer: Literal["before", "after"] | None = None

    def matches(self, entry: Entry) -> bool:
        """Tell whether the rule applies to a call."""
        return (
            fnmatchcase(entry.method, self.method)
            and fnmatchcase(entry.path, self.path)
            and fnmatchcase(unquote(entry.query), self.query)
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

    def changed(self, answer: Response) -> Response:
        """Return the answer with its JSON and its headers changed."""
        if self.fields or self.without:
            content = _without(json.loads(bytes(answer.body)), self.without)
            if isinstance(content, dict):
                content |= self.fields
            answer = JSONResponse(content, answer.status_code)
        answer.headers.update(self.headers)
        return answer


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


def _without(content: JsonValue, names: frozenset[str]) -> JsonValue:
    if isinstance(content, dict):
        return {name: _without(content[name], names) for name in content if name not in names}
    if isinstance(content, list):
        return [_without(each, names) for each in content]
    return content
