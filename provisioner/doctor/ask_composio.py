"""What `doctor` asks Composio."""

from collections.abc import Mapping
from typing import NamedTuple

import httpx

from handler.dynamodb import from_item
from handler.target_table import target_from_row
from handler.targets import Kind, Status, Target, TargetId
from handler.transport import Unavailable, segment
from provisioner.stack import Stack, soon

_MCP = "/api/v3/mcp/servers"
_SESSION = TargetId(Kind.SESSION, "").sort_key
_MOST_SESSIONS = 5


class Reached(NamedTuple):
    """Whether Composio can be asked: why not ("" if it can), whether for the key, the answer."""

    why_not: str = ""
    key_rejected: bool = False
    response: httpx.Response | None = None


def reach(stack: Stack) -> Reached:
    """Ask Composio for anything."""
    try:
        response = stack.transport.send("GET", _MCP, soon(), params={"limit": 1})
    except Unavailable as error:
        return Reached(error.problem.message)
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return Reached("HTTP 401", key_rejected=True, response=response)
    if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return Reached(f"HTTP {response.status_code}", response=response)
    return Reached(response=response)


def servers(stack: Stack) -> Mapping[str, Target]:
    """Return the enrolled MCP servers."""
    if stack.enrolled is None:
        return stack.composio.list_servers(deadline=soon())
    return {one: stack.composio.get_server(one, deadline=soon()) for one in sorted(stack.enrolled)}


def sessions(stack: Stack) -> tuple[bool, ...]:
    """Return, of a few sessions on the first page of the table, whether Composio knows each."""
    if not stack.catalog_table.catalog().profiles:
        return ()
    read = stack.dynamodb.scan(TableName=stack.outputs["TableName"])["Items"]
    rows = [target_from_row(row) for row in map(from_item, read) if row["sk"].startswith(_SESSION)]
    ids = [one.record["session_id"] for one in rows if one.record and one.status is Status.READY]
    return tuple(stack.composio.knows_session(one, deadline=soon()) for one in ids[:_MOST_SESSIONS])


def deprecated(stack: Stack, first: httpx.Response | None) -> dict[str, str]:
    """Return what the headers of the MCP endpoints say, by path.

    Create-instance is not called for that: its list of instances has the same path.
    """
    responses = {} if first is None else {_MCP: first}
    targets = stack.catalog.known().targets
    for server in [one for one in targets if one.kind is Kind.INSTANCE][:1]:
        path = f"{_MCP}/{segment(server.id)}/instances"
        responses[path] = stack.transport.send("GET", path, soon(), params={"limit": 1})
    return {path: text for path, one in responses.items() if (text := _deprecation(one))}


def _deprecation(response: httpx.Response) -> str:
    if response.status_code == httpx.codes.GONE:
        return "gone (410)"
    names = ("deprecation", "sunset")
    return ", ".join(f"{n} {response.headers[n]}" for n in names if n in response.headers)
