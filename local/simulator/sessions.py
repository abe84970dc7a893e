"""The project's tool router sessions: no list, no lookup by user, no expiry."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ConfigDict

from local.simulator.bodies import Body, Text
from local.simulator.clock import random_id
from local.simulator.connections import Connections
from local.simulator.refusal import invalid, missing

type Texts = tuple[Text, ...]


class _Toolkits(Body):
    model_config = ConfigDict(extra="forbid", strict=True)

    enable: Texts | None = None
    disable: Texts | None = None
    require_approval: Texts | None = None


class SessionPatch(Body):
    """What can be asked of a session; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", strict=True)

    toolkits: _Toolkits | None = None
    auth_configs: dict[str, str] | None = None
    connected_accounts: dict[str, Texts] | None = None
    manage_connections: dict[str, Any] | None = None
    multi_account: dict[str, Any] | None = None
    tools: dict[str, Any] | None = None
    tags: list[str] | dict[str, Any] | None = None
    preload: dict[str, Any] | None = None
    search: dict[str, Any] | None = None
    execute: dict[str, Any] | None = None
    proxy_execute: dict[str, Any] | None = None
    workbench: dict[str, Any] | None = None
    instant: bool | dict[str, Any] | None = None
    hooks: list[Any] | None = None
    experimental: dict[str, Any] | None = None


class SessionBody(SessionPatch):
    """What a session is created with."""

    user_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One user's session; `config` is as it was asked for, `version` counts its changes."""

    id: str
    user_id: str
    config: Mapping[str, Any]
    version: int = 1


class Sessions:
    """Sessions by id; methods raise `Refused` with the status that Composio answers."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.by_id: dict[str, Session] = {}

    def get(self, session_id: str) -> Session:
        """Find a session that was not deleted."""
        try:
            return self.by_id[session_id]
        except KeyError:
            raise missing("Session", session_id) from None

    def create(self, body: SessionBody) -> Session:
        """Make a session, another one with each call; no connected account is needed."""
        config = body.changes()
        session = Session(id=random_id("trs_"), user_id=config.pop("user_id"), config=config)
        return self._put(session)

    def change(self, session_id: str, body: SessionPatch) -> Session:
        """Replace what is given."""
        session = self.get(session_id)
        config = {**session.config, **body.changes()}
        return self._put(replace(session, config=config, version=session.version + 1))

    def delete(self, session_id: str) -> None:
        """Delete a session, once."""
        self.get(session_id)
        del self.by_id[session_id]

    def toolkits(self, session: Session) -> dict[str, frozenset[str]]:
        """Map the enabled toolkits to the auth configs that the session may use for them."""
        known = self._connections.by_toolkit(self._connections.auth_configs)
        chosen = session.config.get("toolkits", {})
        enabled = set(chosen.get("enable", known)) - set(chosen.get("disable", ()))
        own = session.config.get("auth_configs", {})
        return {
            toolkit: frozenset({own[toolkit]}) if toolkit in own else known[toolkit]
            for toolkit in sorted(enabled)
        }

    def _put(self, session: Session) -> Session:
        config = session.config
        known = self._connections.by_toolkit(self._connections.auth_configs)
        named = config.get("toolkits", {})
        toolkits = {*named.get("enable", ()), *named.get("disable", ())}
        problems = [f"unknown toolkit: {each}" for each in sorted(toolkits - known.keys())]
        for toolkit, auth_config_id in config.get("auth_configs", {}).items():
            if auth_config_id not in known.get(toolkit, ()):
                problems.append(f"no auth config of {toolkit}: {auth_config_id}")
        own = {each.id for each in self._connections.of_user(session.user_id) if each.usable}
        for toolkit, account_ids in config.get("connected_accounts", {}).items():
            problems += [f"no account of {toolkit}: {each}" for each in set(account_ids) - own]
        if problems:
            raise invalid("Invalid session configuration", *problems)
        self.by_id[session.id] = session
        return session
