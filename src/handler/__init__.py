"""Creates a user's MCP server instance at Composio once every required account is connected.

The entry points (`webhook`, `worker`) call `provisioning` and `creation`, which ask the pure core
(`decisions`, `events`, `signature`) what to do, and do it through the adapters (`target_table`,
`composio`, `credentials`). `announcer` puts the outcome on the event bus.

What is raised here, and what comes of it:

    Exception
    ├── SettingsError      settings      the start fails, and says all that is wrong
    ├── Refused            requests      the request is answered with its status
    ├── NotAuthentic       signature     401, once the secret was looked at again
    ├── SecretUnusable     credentials   as Unavailable, or 503
    ├── TooLarge           dynamodb      503, or the message comes back: the user's item is full
    ├── Unavailable        transport     no usable answer of Composio: later
    └── ValueError
        └── NotAnEnvelope  events        400; a message of the queue comes back
"""

import gc
import os

# At a start everything is made and nothing thrown away, so collecting finds nothing.
gc.set_threshold(100_000)
# pydantic would read the metadata of every package in search of plugins; there are none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
