"""One authorised call to Composio, within the time that is left.

The only module that speaks HTTP.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from handler import answers
from handler.credentials import Credentials, SecretUnusable
from handler.targets import Problem
from handler.telemetry import Metric, answered, count, logger

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 2.0
READ_SECONDS = 6.0
CALL_SECONDS = CONNECT_SECONDS + READ_SECONDS
"""What one call may take."""

LEAST_SECONDS = 1.0
"""With less time left than this, no call is begun."""

KEEPALIVE_SECONDS = 600.0

AUTHORITIES = Path(__file__).parents[1] / "authorities"
"""The package's certificate authorities, one file each: OpenSSL reads the one that it needs."""


class Unavailable(Exception):
    """A call got no usable answer; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem.loggable()))  # a traceback is logged, too
        self.problem = problem


def connect(base_url: str) -> "httpx.Client":
    """Return a client that keeps its connections between invocations, and never redirects."""
    import httpx  # noqa: PLC0415 -- a third of the start, and few events call Composio

    from handler.bounded_transport import BoundedTransport  # noqa: PLC0415 -- it imports httpx

    limits = httpx.Limits(keepalive_expiry=KEEPALIVE_SECONDS)
    # Outside of the package, httpx brings its own authorities, and reads all of them.
    own = AUTHORITIES.is_dir()
    trust = ssl.create_default_context(capath=AUTHORITIES) if own else httpx.create_ssl_context()
    transport = BoundedTransport(partial(httpx.HTTPTransport, limits=limits, verify=trust))
    return httpx.Client(base_url=base_url, transport=transport, follow_redirects=False)


def segment(identifier: str) -> str:
    """Return the id as one segment of a path.

    Raises:
        Unavailable: It would be another path.
    """
    if identifier in {"", ".", ".."}:
        raise Unavailable(Problem("not an id"))
    return quote(identifier, safe="")


@dataclass(eq=False)
class Transport:
    """Sends through a client that `connect` makes when the first call is due.

    Its base URL is Composio's; `clock` is Unix seconds.
    """

    connect: Callable[[], "httpx.Client"]
    credentials: Credentials
    clock: Callable[[], float]

    @cached_property
    def http(self) -> "httpx.Client":
        """The client."""
        return self.connect()

    def get(self, path: str, deadline: float, **query: object) -> dict[str, Any]:
        """Return the JSON object at the path.

        Raises:
            Unavailable: There is none; its problem has the status, if an answer came.
        """
        response = self.send("GET", path, deadline, params=query)
        found = answers.read_object(response.content) if response.is_success else None
        if found is None:
            raise unavailable(response)
        return found

    def send(self, method: str, path: str, deadline: float, **content: Any) -> "httpx.Response":
        """Send, and send once more where the API key has changed since it was fetched.

        Nothing can have come of a call that was not authorised, so that repeats no create. The path
        is below the base URL, the deadline a Unix time; `content` is httpx's `params` or `json`.

        Raises:
            Unavailable: No answer came, or there was no time to wait for one.
        """
        response = self._send_once(method, path, deadline, content)
        if response.status_code == 401 and self.credentials.refresh():
            response = self._send_once(method, path, deadline, content)
        if response.status_code == 401:
            count(Metric.COMPOSIO_KEY_REJECTED)
            logger.error("Composio rejects the API key")
        gone = response.status_code == 410
        if gone or "deprecation" in response.headers or "sunset" in response.headers:
            count(Metric.COMPOSIO_DEPRECATED)
            logger.warning("Composio calls an endpoint deprecated", method=method, gone=gone)
        return response

    def _send_once(
        self, method: str, path: str, deadline: float, content: dict[str, Any]
    ) -> "httpx.Response":
        import httpx  # noqa: PLC0415 -- as in connect

        try:
            headers = {"x-api-key": self.credentials.api_key()}
        except SecretUnusable as error:
            raise Unavailable(Problem(str(error))) from None
        # Only now: to fetch the API key may have taken its time.
        left = deadline - self.clock()
        if left < LEAST_SECONDS:
            raise Unavailable(Problem("no time left for a call to Composio"))
        content["timeout"] = httpx.Timeout(
            min(READ_SECONDS, left), connect=min(CONNECT_SECONDS, left)
        )
        content["extensions"] = {"total": min(CALL_SECONDS, left)}
        try:
            response = self.http.request(method, path, headers=headers, **content)
        except httpx.HTTPError as error:
            count(Metric.COMPOSIO_NO_ANSWER)
            # The exception's text may hold the URL, and so the user.
            raise Unavailable(Problem(f"no answer: {type(error).__name__}")) from None
        answered(response.status_code)
        return response


def unavailable(response: "httpx.Response") -> Unavailable:
    """Return the exception for an answer that is not what was asked for."""
    said = answers.problem(response.status_code, response.headers, response.content)
    return Unavailable(said)


def items(page: Mapping[str, Any], name: str) -> list[object]:
    """Return the list of that name; raises Unavailable where there is none."""
    found = page.get(name)
    if not isinstance(found, list):
        raise Unavailable(Problem(f"{name} is no list"))
    return found


def read[Model: BaseModel](model: type[Model], item: object) -> Model | None:
    """Return the item as the model, or None, with a warning."""
    try:
        return model.model_validate(item)
    except ValidationError:
        count(Metric.ITEM_UNREADABLE)
        logger.warning("an item or answer of Composio is not readable", model=model.__name__)
        return None


def must_read[Model: BaseModel](model: type[Model], item: object) -> Model:
    """Return the item as the model; raises Unavailable where it does not fit."""
    found = read(model, item)
    if found is None:
        raise Unavailable(Problem(f"the answer is not readable as {model.__name__}"))
    return found
