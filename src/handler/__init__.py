"""Creates a user's MCP server instance at Composio once every required account is connected.

Doors (`webhook`) lead to `provisioning`, which asks the pure core (`decisions`, `events`,
`signature`) what to do and does it through the adapters (`table`, `composio`, `credentials`).
"""
