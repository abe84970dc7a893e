"""Generated hostile requests, over real HTTP to every deployed route."""

import re
import time
from collections import Counter
from urllib.parse import quote, urlencode

import httpx

from tests.deployed.application import Deployed
from tests.exploration.hostile import CANARY, Generator

REQUESTS = 600


def over_http(deployed: Deployed, generator: Generator) -> httpx.Request | None:
    """Return the next request as a client would send it; None if HTTP does not allow it."""
    event = generator.request().event
    known = event["pathParameters"] or {}
    path = re.sub(r"{(\w+)}", lambda name: _segment(known.get(name[1], "")), event["resource"])
    query = urlencode(event["multiValueQueryStringParameters"] or {}, doseq=True, errors="replace")
    many = event["multiValueHeaders"] or {}
    try:
        return httpx.Request(
            event["httpMethod"],
            f"{deployed.stack.api_url}{quote(path, safe='/%')}?{query}",
            headers=[
                (name, value.encode("latin-1"))
                for name, values in many.items()
                for value in values
                if name.lower() != "host" and not set(value) & set("\r\n\x00") and len(value) < 2000
            ],
            content=(event["body"] or "").encode(errors="replace"),
        )
    except (ValueError, httpx.InvalidURL):
        return None


def test_hostile_requests_over_http_break_nothing_and_write_nothing(
    deployed: Deployed, figures: list[str]
) -> None:
    generator = Generator(seed=7, now=time.time(), signs=False)
    before, since, counted = deployed.scan(), time.time(), Counter[int]()
    with httpx.Client(timeout=60, trust_env=False) as client:
        while counted.total() < REQUESTS:
            request = over_http(deployed, generator)
            if request is None:
                continue
            try:
                answer = client.send(request)
            except httpx.LocalProtocolError:
                continue
            counted[answer.status_code] += 1
            assert answer.status_code < 500, (ascii(request.url), answer.text)
            # After so many made-up accounts, the callback only says that it takes a moment.
            harmless = "Almost there" in answer.text or "You can go back now" in answer.text
            assert answer.status_code != 200 or harmless, ascii(request.url)
    assert deployed.scan() == before
    log = deployed.log(since)
    assert [one for one in (deployed.api_key, *deployed.secrets, CANARY) if one in log] == []
    answers = ", ".join(f"{number} x {status}" for status, number in sorted(counted.items()))
    figures.append(f"{counted.total()} hostile requests over HTTP: {answers}")


def _segment(text: str) -> str:
    return quote(text, safe="", errors="replace")
