"""The harmless tools of the simulated MCP endpoints: one per toolkit."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from local.simulator.accounts import Account
from local.simulator.connections import Connections


@dataclass(frozen=True, slots=True)
class Tools:
    """A user's tools; `toolkits` maps each toolkit to the auth configs whose accounts it uses."""

    connections: Connections
    user_id: str
    toolkits: Mapping[str, frozenset[str]]

    def names(self) -> dict[str, str]:
        """Map the tools' names to their toolkits."""
        return {f"{toolkit.upper()}_WHO_AM_I": toolkit for toolkit in self.toolkits}

    def account(self, toolkit: str) -> Account | None:
        """Return the connected account that a toolkit would use."""
        usable = (
            account
            for account in self.connections.of_user(self.user_id)
            if account.usable and account.auth_config_id in self.toolkits[toolkit]
        )
        return next(usable, None)

    def run(self, name: str) -> str | None:
        """Return a tool's result as JSON, or None where the user has no usable account."""
        toolkit = self.names()[name]
        account = self.account(toolkit)
        if account is None:
            return None
        found = {"user_id": self.user_id, "connected_account_id": account.id, "toolkit": toolkit}
        return json.dumps(found)
