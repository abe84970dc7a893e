"""A session profile whose sessions are created, beside an MCP server that nobody completes."""

from tests.world import PROFILE, SERVER, World

SESSION = PROFILE.key
URL = "https://composio.invalid/tool_router/trs_1/mcp"
RECORD = {"session_id": "trs_1", "config_version": 1}


def session_world() -> World:
    world = World()
    world.upstream.servers[SERVER] = ["ac_of_nobody"]
    world.catalog_table.store_profile(PROFILE, backfill_at=int(world.now))
    world.tick()
    return world


def complete(world: World) -> str:
    return world.complete()["work"]
