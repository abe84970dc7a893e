"""Creates a user's MCP server instance at Composio once every required account is connected.

Doors (`webhook`) lead to `provisioning`, which asks the pure core (`decisions`, `events`,
`signature`) what to do and does it through the adapters (`table`, `composio`, `credentials`).
"""

import gc
import os

# At a start everything is made and nothing thrown away, so collecting finds nothing.
gc.set_threshold(100_000)
# pydantic would read the metadata of every package in search of plugins; there are none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
