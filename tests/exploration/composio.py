"""Composio, as the HTTP client of one execution environment meets it."""

import json
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import httpx

from tests.doubles import refusal
from tests.exploration.faults import Fault, Killed
from tests.exploration.promises import Promise, require_that
from tests.exploration.state import SESSION, Call

if TYPE_CHECKING:
    from tests.exploration.environment import Environment

_STATUS = {
    Fault.BAD_REQUEST: 400,
    Fault.FORBIDDEN: 403,
    Fault.NOT_FOUND: 404,
    Fault.LIMITED: 429,
}


@cache
def _request(
    method: str, path: str, query: str, body: str, key: str, *times: float | None
) -> httpx.Request:
    time_outs = httpx.Timeout(connect=times[0], read=times[1], write=None, pool=None)
    return httpx.Request(
        method,
        f"https://composio.invalid{path}",
        params=json.loads(query),
        json=json.loads(body),
        headers={"x-api-key": key},
        extensions={"timeout": time_outs.as_dict()},
    )


class Http(httpx.Client):
    """An HTTP client that keeps its requests: to build one costs more than all else."""

    def __init__(self, composio: "Composio") -> None:
        super().__init__(transport=httpx.MockTransport(composio), trust_env=False)
        self._composio = composio

    def request(self, method: str, url: Any, **given: Any) -> httpx.Response:
        """Send a request."""
        query, body = (json.dumps(given.get(one)) for one in ("params", "json"))
        key, times = given["headers"]["x-api-key"], given["timeout"]
        return self._composio(_request(method, url, query, body, key, times.connect, times.read))


class Composio:
    """Composio, as the environment's HTTP client meets it: it counts the accounts itself."""

    def __init__(self, environment: "Environment") -> None:
        self._at = environment

    def __call__(self, request: httpx.Request) -> httpx.Response:
        system = self._at.system
        require_that(request.method != "DELETE", Promise.NEVER_DESTROYS, str(request.url))
        name = f"{request.method} {request.url.path.removeprefix('/api/v3/')}"
        call = partial(
            self._at.call,
            refused=lambda: httpx.ConnectError("refused", request=request),
            lost=lambda: self._time_out(request),
        )
        if request.method != "POST":
            read = partial(system.answer_read, request)
            return call("http read", name, read, odd=partial(_odd, request))
        target = SESSION if name.endswith("/session") else name.split("/")[2]
        pair = (target, json.loads(request.content)["user_id"])
        call("create begins", name, partial(self._begin, pair))
        try:
            create = partial(system.answer_create, request, pair)
            answer = call("create is answered", name, create, odd=partial(_odd, request))
        except Killed:
            self._end(pair, self._at.state.now + sum(_time_outs(request)))
            raise
        except httpx.HTTPError:
            self._end(pair, None)
            raise
        self._end(pair, None)
        return answer

    def _time_out(self, request: httpx.Request) -> Exception:
        self._at.state.now += _time_outs(request)[1]
        return httpx.ReadTimeout("no answer", request=request)

    def _begin(self, pair: tuple[str, str]) -> None:
        state = self._at.state
        calls = tuple(
            one for one in state.creates_in_flight if one.ends is None or one.ends > state.now
        )
        for one in calls:
            require_that(
                one.pair != pair, Promise.ONE_CALL, f"{self._at.name} calls, so does {one.who}"
            )
        state.creates_in_flight = (*calls, Call(pair, self._at.name))
        counts = dict(state.create_counts)
        state.create_counts = tuple(sorted({**counts, pair: counts.get(pair, 0) + 1}.items()))

    def _end(self, pair: tuple[str, str], ends: float | None) -> None:
        state = self._at.state
        mine = Call(pair, self._at.name)
        state.creates_in_flight = tuple(one for one in state.creates_in_flight if one != mine)
        if ends is not None:
            state.creates_in_flight += (mine._replace(ends=ends),)


def _odd(request: httpx.Request, fault: Fault) -> httpx.Response:
    """Return an answer that says nothing of how things are."""
    match fault:
        case Fault.PAGE:
            return httpx.Response(200, html="<h1>Please wait</h1>")
        case Fault.PAGE_404:
            return httpx.Response(404, html="<h1>Not found</h1>")
        case Fault.NOTHING:
            return httpx.Response(200, json={})
        case Fault.EMPTY:
            name = "instances" if request.url.path.endswith("/instances") else "items"
            return httpx.Response(200, json={name: [], "total_pages": 1})
    return refusal(_STATUS[fault], "odd")


def _time_outs(request: httpx.Request) -> tuple[float, float]:
    times = request.extensions["timeout"]
    return times["connect"], times["read"]
