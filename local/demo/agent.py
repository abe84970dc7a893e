"""Uses an MCP endpoint as an agent does, with the official MCP client."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx2
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client


def list_tools(url: str, api_key: str) -> list[str]:
    """Return the names of the tools at an endpoint; raises what the client raises."""

    async def listed(client: Client) -> list[str]:
        return [tool.name for tool in (await client.list_tools()).tools]

    return asyncio.run(_with_client(url, api_key, listed))


def call_tool(url: str, api_key: str, name: str) -> str:
    """Call a tool without arguments and return its text; raises what the client raises."""

    async def called(client: Client) -> str:
        result = await client.call_tool(name, {})
        return "".join(each.text for each in result.content if isinstance(each, types.TextContent))

    return asyncio.run(_with_client(url, api_key, called))


async def _with_client[T](url: str, api_key: str, use: Callable[[Client], Awaitable[T]]) -> T:
    headers = {"x-api-key": api_key}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        return await use(client)
