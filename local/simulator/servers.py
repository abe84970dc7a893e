"""The project's MCP servers and their instances."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from local.simulator.accounts import Account
from local.simulator.clock import Clock, random_id
from local.simulator.connections import Connections
from local.simulator.refusal import Refused, invalid, missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One MCP server and the auth configs that it requires."""

    id: str
    name: str
    auth_config_ids: tuple[str, ...]
    allowed_tools: tuple[str, ...] = ()
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One user's registration with one server; its `instance_id` is the user id."""

    id: str
    instance_id: str
    mcp_server_id: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Servers:
    """Servers by id, instances by server and user.

    Methods raise `Refused` with the status that Composio answers.
    """

    clock: Clock
    connections: Connections
    by_id: dict[str, Server] = field(default_factory=dict)
    instances: dict[str, dict[str, Instance]] = field(default_factory=dict)

    def get(self, server_id: str) -> Server:
        """Find a server that was not deleted (API reference, MCP)."""
        try:
            return self.by_id[server_id]
        except KeyError:
            raise missing("MCP server", server_id) from None

    def new(
        self,
        name: str,
        auth_config_ids: tuple[str, ...],
        *,
        server_id: str | None = None,
        allowed_tools: tuple[str, ...] = (),
    ) -> Server:
        """Make a server; a given id replaces the server that had it."""
        self._check(auth_config_ids)
        at = self.clock.tick()
        server = Server(
            id=server_id or random_id(""),
            name=name,
            auth_config_ids=auth_config_ids,
            allowed_tools=allowed_tools,
            created_at=at,
            updated_at=at,
        )
        self.by_id[server.id] = server
        self.instances.setdefault(server.id, {})
        return server

    def change(self, server_id: str, changes: dict[str, Any]) -> Server:
        """Change what is given."""
        changed = replace(self.get(server_id), **changes, updated_at=self.clock.tick())
        self._check(changed.auth_config_ids)
        self.by_id[server_id] = changed
        return changed

    def delete(self, server_id: str) -> None:
        """Forget a server and its instances."""
        self.get(server_id)
        del self.by_id[server_id]
        self.instances.pop(server_id, None)

    def create_instance(self, server_id: str, user_id: str) -> Instance:
        """Check and create in one step (API reference, Create a new MCP server instance)."""
        server = self.get(server_id)
        if lacking := self._lacking(server, user_id):
            raise Refused(
                403,
                "The user does not have connected accounts for all required auth configurations",
                fix="Connect the missing accounts, then try again",
                errors=tuple(f"missing auth config: {each}" for each in lacking),
            )
        if user_id in self.instances[server_id]:
            raise Refused(409, f"An instance with the id {user_id} already exists")
        return self.put_instance(server_id, user_id)

    def put_instance(self, server_id: str, user_id: str) -> Instance:
        """Store an instance without any check but the server's existence."""
        self.get(server_id)
        at = self.clock.tick()
        instance = Instance(
            id=random_id(""),
            instance_id=user_id,
            mcp_server_id=server_id,
            created_at=at,
            updated_at=at,
        )
        self.instances[server_id][user_id] = instance
        return instance

    def destroy_instance(self, server_id: str, user_id: str) -> list[Account]:
        """Delete an instance AND the user's accounts for its auth configs, as Composio does."""
        server = self.get(server_id)
        if self.instances[server_id].pop(user_id, None) is None:
            raise missing("MCP server instance", user_id)
        return [
            self.connections.delete(account.id)
            for account in self.connections.of_user(user_id)
            if account.auth_config_id in server.auth_config_ids
        ]

    def _lacking(self, server: Server, user_id: str) -> list[str]:
        """List the required auth configs for which the user has no usable account.

        Whether shared accounts or disabled auth configs count is not published; here they
        do not.
        """
        have = {
            account.auth_config_id
            for account in self.connections.of_user(user_id)
            if account.usable
            and account.account_type == "PRIVATE"
            and not self.connections.auth_configs[account.auth_config_id].is_disabled
        }
        return [required for required in server.auth_config_ids if required not in have]

    def _check(self, auth_config_ids: tuple[str, ...]) -> None:
        unknown = [each for each in auth_config_ids if each not in self.connections.auth_configs]
        if unknown:
            raise invalid("Unknown auth configs", *unknown)
